package rules

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"gopkg.in/yaml.v3"

	"github.com/plumbline-slo/plumbline"
)

// Kinds of OpenSLO v1.
const (
	kindSLO       = "SLO"
	kindSLI       = "SLI"
	kindService   = "Service"
	kindPolicy    = "AlertPolicy"
	kindCondition = "AlertCondition"
	kindTarget    = "AlertNotificationTarget"
	kindSource    = "DataSource"
)

// catalog is everything that was read, so that documents can refer to each
// other in any order and over files.
type catalog struct {
	readers []*fileReader
	docs    []document
	// named holds the documents by kind and name.
	named map[string]map[string]document
	// used are the names of the SLIs that something refers to.
	used map[string]bool
}

// document is one OpenSLO document whose head was read.
type document struct {
	*fileReader
	node, spec *yaml.Node
	kind, name string
	meta       *object
}

func newCatalog() *catalog {
	return &catalog{named: make(map[string]map[string]document), used: make(map[string]bool)}
}

// read reads the heads of a file's documents.
func (c *catalog) read(name string, data []byte) {
	r := &fileReader{file: name}
	c.readers = append(c.readers, r)
	dec := yaml.NewDecoder(bytes.NewReader(data))
	begun := false
	for {
		var doc yaml.Node
		err := dec.Decode(&doc)
		if errors.Is(err, io.EOF) {
			if !begun {
				r.fail(&yaml.Node{Line: 1}, "", "holds no document of OpenSLO", "write one, or remove the file")
			}
			return
		}
		if err != nil {
			r.errs = append(r.errs, syntaxError(name, err))
			return
		}
		if len(doc.Content) != 1 || doc.Content[0].Tag == "!!null" {
			continue // an empty document between two separators
		}
		begun = true
		if d, ok := r.document(doc.Content[0]); ok {
			c.add(d)
		}
	}
}

func (c *catalog) add(d document) {
	if c.named[d.kind] == nil {
		c.named[d.kind] = make(map[string]document)
	}
	if first, ok := c.named[d.kind][d.name]; ok && d.name != "" {
		where := ""
		if first.file != d.file {
			where = ", the other in " + first.file
		}
		d.fail(d.node, "metadata.name", fmt.Sprintf("two documents of kind %s are named %s%s", d.kind, d.name, where), "rename one of them")
	}
	c.named[d.kind][d.name] = d
	c.docs = append(c.docs, d)
}

// document reads the head of one document; ok is false if there is none.
func (r *fileReader) document(n *yaml.Node) (document, bool) {
	doc := r.object(n, "", "apiVersion", "kind", "metadata", "spec")
	if doc == nil {
		return document{}, false
	}
	if v := doc.required("apiVersion", "write apiVersion: "+apiVersion); v != "" && v != apiVersion {
		doc.fail("apiVersion", fmt.Sprintf("%q is not read", v), "write apiVersion: "+apiVersion)
	}
	kind := doc.required("kind", "write kind: SLO")
	for _, key := range []string{"metadata", "spec"} {
		if !doc.has(key) {
			doc.fail(key, "is missing", "write "+key+": with its fields under it")
		}
	}
	switch kind {
	case kindSLO, kindSLI, kindService, kindPolicy, kindCondition, kindTarget, kindSource, "":
	default:
		doc.fail("kind", fmt.Sprintf("%q is no kind of OpenSLO v1", kind), "write kind: SLO or another kind of OpenSLO v1")
		return document{}, false
	}
	if !doc.has("metadata") || !doc.has("spec") || kind == "" {
		return document{}, false
	}
	meta, name := r.metadata(doc.fields["metadata"])
	return document{fileReader: r, node: n, spec: doc.fields["spec"], kind: kind, name: name, meta: meta}, true
}

// slos reads the documents' bodies and returns the SLOs.
func (c *catalog) slos() ([]plumbline.SLO, error) {
	c.bodies()
	var all []plumbline.SLO
	var errs []error
	for _, r := range c.readers {
		all, errs = append(all, r.slos...), append(errs, r.err())
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return all, nil
}

// bodies reads the documents' bodies; SLOs and errors are with their files.
func (c *catalog) bodies() {
	for _, d := range c.docs {
		if d.kind != kindSLO {
			d.unannotated(d.meta, d.kind)
		}
		switch d.kind {
		case kindSLO:
			before := c.failures()
			if slos := c.slo(d); c.failures() == before {
				d.slos = append(d.slos, slos...)
			} else {
				d.withheld = true
			}
		case kindSLI: // read where it is used, with the objective's threshold
		case kindService:
			if o := d.object(d.spec, "spec", "description"); o != nil {
				o.description()
			}
		case kindPolicy:
			c.policy(d.fileReader, d.spec, "spec")
		case kindCondition:
			c.condition(d.fileReader, d.name, d.spec, "spec")
		case kindTarget:
			if o := d.object(d.spec, "spec", "target", "description"); o != nil {
				o.description()
				o.required("target", "write target: slack or target: pagerduty")
			}
		case kindSource:
			c.dataSource(d)
		}
	}
	for _, d := range c.docs {
		if d.kind == kindSLI && !c.used[d.name] {
			c.sliDocument(d)
		}
	}
	c.apart()
}

// apart refuses an SLO that is named as a part of another is.
func (c *catalog) apart() {
	whole := make(map[string]plumbline.SLOName)
	for _, r := range c.readers {
		for _, slo := range r.slos {
			if slo.PartOf != "" {
				whole[string(slo.Name)] = slo.PartOf
			}
		}
	}
	for _, d := range c.docs {
		if of := whole[d.name]; of != "" && d.kind == kindSLO {
			d.meta.fail("name", fmt.Sprintf("another SLO is named %s, a part of %s", d.name, of), "rename one of them")
		}
	}
}

// failures is how many mistakes were found so far: what refers to a document that has
// one has it too.
func (c *catalog) failures() (n int) {
	for _, r := range c.readers {
		n += len(r.errs)
	}
	return n
}

// find returns the document that a field refers to, and reports one that is not
// there.
func (c *catalog) find(o *object, key, kind string) (document, bool) {
	name := o.required(key, "write the metadata.name of a "+kind)
	if name == "" {
		return document{}, false
	}
	d, ok := c.named[kind][name]
	if kind == kindSLI {
		c.used[name] = true
	}
	if !ok {
		o.fail(key, fmt.Sprintf("there is no %s named %q", kind, name), "add the document, or give plumbline the file it is in")
	}
	return d, ok
}
