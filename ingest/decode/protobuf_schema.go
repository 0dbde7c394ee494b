package decode

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

func checkProtobuf(s Source) error {
	errs := []error{s.checkSchemas()}
	switch {
	case s.SchemaFile != "" && s.Message == "":
		errs = append(errs, errors.New("message: empty; name the message of schema_file, such as shop.v1.Prediction"))
	case s.SchemaFile == "" && s.Message != "":
		errs = append(errs, errors.New("message: it names a message of schema_file, which is empty; name the file, or leave both out for the messages of docs/events.proto"))
	case s.SchemaFile != "" && len(s.Holds) == 1:
		if _, err := compileProtoSet(s.SchemaText, s.SchemaFile, s.Message, s.Holds[0]); err != nil {
			errs = append(errs, fmt.Errorf("schema_file: %w", err))
		}
	}
	return errors.Join(errs...)
}

func openProtobuf(s Source, into Columns) (Decoder, error) {
	shared := s.shared
	if shared == nil {
		var err error
		if shared, err = s.share(); err != nil {
			return nil, err
		}
	}
	return &protoDecoder{typed: typed{into: into}, planUser: planUser[protoPlan]{plans: shared.protobuf}}, nil
}

func (s Source) protoPlans() (*schemaPlans[protoPlan], error) {
	// The registry gives the descriptor of a file rather than its text, so that
	// nothing here parses .proto files.
	from, err := s.registry("serialized")
	if err != nil {
		return nil, err
	}
	kind, file, message, text := s.Holds[0], s.SchemaFile, s.Message, s.SchemaText
	return newPlans(from, func(schema Schema, header []byte) (*protoPlan, *Error) {
		switch {
		case from != nil:
			return compileProtoSchema(schema, messagePath(header), kind)
		case file != "":
			return compileProtoSet(text, file, message, kind)
		}
		return compileOwn(kind)
	}), nil
}

// compileProtoSet compiles a message of a FileDescriptorSet.
func compileProtoSet(set []byte, name, message string, kind Kind) (*protoPlan, *Error) {
	var files descriptorpb.FileDescriptorSet
	if err := proto.Unmarshal(set, &files); err != nil || len(files.GetFile()) == 0 {
		return nil, bad(Unparsable, name+": it is no FileDescriptorSet; write it with protoc --include_imports --descriptor_set_out")
	}
	known, err := protoFiles(files.GetFile())
	if err != nil {
		return nil, bad(Unparsable, fmt.Sprintf("%s: %s", name, err))
	}
	found, err := known.FindDescriptorByName(protoreflect.FullName(message))
	m, ok := found.(protoreflect.MessageDescriptor)
	if err != nil || !ok {
		return nil, bad(MissingField, fmt.Sprintf("%s: there is no message %q in it; check message", name, message))
	}
	return compileProto(fmt.Sprintf("%s (%s)", name, message), m, kind)
}

// compileProtoSchema compiles the message at a path of a registry's schema.
func compileProtoSchema(s Schema, path []int, kind Kind) (*protoPlan, *Error) {
	name := fmt.Sprintf("schema %d", s.ID)
	if s.Type != "PROTOBUF" {
		return nil, bad(WrongType, fmt.Sprintf("%s is not of type PROTOBUF; send Protobuf, or configure another format", name))
	}
	var all []*descriptorpb.FileDescriptorProto
	for _, ref := range append(s.References, SchemaReference{"", s.Text}) {
		var file descriptorpb.FileDescriptorProto
		if err := proto.Unmarshal(ref.Text, &file); err != nil {
			return nil, bad(Unparsable, name+": the registry's descriptor does not parse")
		}
		if ref.Name != "" {
			file.Name = &ref.Name // under which it is imported
		}
		if file.Name == nil {
			file.Name = proto.String(name + ".proto")
		}
		all = append(all, &file)
	}
	known, err := protoFiles(all)
	if err != nil {
		return nil, bad(Unparsable, fmt.Sprintf("%s: %s", name, err))
	}
	file, err := known.FindFileByPath(all[len(all)-1].GetName())
	if err != nil {
		return nil, bad(Unparsable, fmt.Sprintf("%s: %s", name, err))
	}
	messages := file.Messages()
	var m protoreflect.MessageDescriptor
	for _, i := range path {
		if i >= messages.Len() {
			return nil, bad(Unparsable, fmt.Sprintf("%s has no message at %v; send with the serializer that registered it", name, path))
		}
		m = messages.Get(i)
		messages = m.Messages()
	}
	return compileProto(fmt.Sprintf("%s (%s)", name, m.FullName()), m, kind)
}

// protoFiles links files, each after those it imports. Google's well-known types
// need not be among them.
func protoFiles(files []*descriptorpb.FileDescriptorProto) (*protoregistry.Files, error) {
	known := &protoregistry.Files{}
	for _, f := range files {
		linked, err := protodesc.NewFile(f, protoResolver{known})
		if err == nil {
			err = known.RegisterFile(linked)
		}
		if err != nil {
			return nil, fmt.Errorf("file %q: %w", f.GetName(), err)
		}
	}
	return known, nil
}

// protoResolver finds what was linked before, and the well-known types.
type protoResolver struct{ known *protoregistry.Files }

func (r protoResolver) FindFileByPath(path string) (protoreflect.FileDescriptor, error) {
	if found, err := r.known.FindFileByPath(path); err == nil {
		return found, nil
	}
	for _, f := range wellKnownFiles() {
		if f.Path() == path {
			return f, nil
		}
	}
	return nil, protoregistry.NotFound
}

func (r protoResolver) FindDescriptorByName(name protoreflect.FullName) (protoreflect.Descriptor, error) {
	if found, err := r.known.FindDescriptorByName(name); err == nil {
		return found, nil
	}
	for _, f := range wellKnownFiles() {
		if d := f.Messages().ByName(name.Name()); d != nil && d.FullName() == name {
			return d, nil
		}
		if d := f.Enums().ByName(name.Name()); d != nil && d.FullName() == name {
			return d, nil
		}
	}
	return nil, protoregistry.NotFound
}

func wellKnownFiles() []protoreflect.FileDescriptor {
	return []protoreflect.FileDescriptor{
		timestamppb.File_google_protobuf_timestamp_proto,
		wrapperspb.File_google_protobuf_wrappers_proto,
		structpb.File_google_protobuf_struct_proto,
	}
}
