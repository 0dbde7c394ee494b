package configdoc

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"strings"
)

// comments finds what the sources of a module say of its types.
type comments struct {
	root, module string
	packages     map[string]map[string]documented // by path, then type
}

// documented is what a type's comments say: of itself and of its fields.
type documented struct {
	doc    string
	fields map[string]string
}

func newComments(root, module string) *comments {
	return &comments{root: root, module: module, packages: map[string]map[string]documented{}}
}

// owns reports whether a type is of the module.
func (c *comments) owns(t reflect.Type) bool {
	return t.PkgPath() == c.module || strings.HasPrefix(t.PkgPath(), c.module+"/")
}

// of returns the comments of a type of the module.
func (c *comments) of(t reflect.Type) (documented, error) {
	if c.packages[t.PkgPath()] == nil {
		types, err := parse(filepath.Join(c.root, strings.TrimPrefix(t.PkgPath(), c.module)))
		if err != nil {
			return documented{}, err
		}
		c.packages[t.PkgPath()] = types
	}
	found, ok := c.packages[t.PkgPath()][t.Name()]
	if !ok {
		return documented{}, fmt.Errorf("no declaration of %s below %s", t, c.root)
	}
	return found, nil
}

// parse reads the declarations of structs of the package in a folder.
func parse(dir string) (map[string]documented, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, err
	}
	types := map[string]documented{}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		source, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, source, parser.ParseComments)
		if err != nil {
			return nil, err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if d, ok := n.(*ast.GenDecl); ok && d.Tok == token.TYPE {
				declared(d, types)
			}
			return true
		})
	}
	return types, nil
}

func declared(d *ast.GenDecl, types map[string]documented) {
	for _, spec := range d.Specs {
		t := spec.(*ast.TypeSpec)
		fields, ok := t.Type.(*ast.StructType)
		if !ok {
			continue
		}
		of := documented{doc: strings.TrimSpace(d.Doc.Text()), fields: map[string]string{}}
		for _, f := range fields.Fields.List {
			text := f.Doc.Text()
			if text == "" {
				text = f.Comment.Text()
			}
			for _, name := range f.Names {
				of.fields[name.Name] = strings.TrimSpace(text)
			}
		}
		types[t.Name.Name] = of
	}
}
