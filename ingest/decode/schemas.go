package decode

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
)

// The shapes with schemas.
const (
	// FormatAvro is Avro with our field names: in Confluent's frame with a schema
	// registry, or plain with a schema file.
	FormatAvro Format = "avro"
	// FormatProtobuf is Protobuf: our own messages of docs/events.proto, a message
	// of a descriptor file, or Confluent's frame with a schema registry.
	FormatProtobuf Format = "protobuf"
)

// Schemas are the options of the shapes with schemas.
type Schemas struct {
	// SchemaFile is the writer's schema: of avro JSON (.avsc), of protobuf a
	// FileDescriptorSet as protoc --descriptor_set_out --include_imports writes it.
	SchemaFile string `yaml:"schema_file" json:"-"`
	// SchemaText is what it holds, see ReadFiles. It decides how events are read.
	SchemaText []byte `yaml:"-"`
	// Message is the full name of the message of a protobuf schema file.
	Message string `yaml:"message"`
	// SchemaRegistry is where the schemas of framed records are asked for. That
	// there is one decides how records are read; where it is does not.
	SchemaRegistry *SchemaRegistry `yaml:"schema_registry"`

	// shared is what the copies of a source share: the registry's client and the
	// compiled plans. Until ReadFiles each decoder has its own.
	shared *sharedSchemas
}

type sharedSchemas struct {
	avro     *schemaPlans[avroPlan]
	protobuf *schemaPlans[protoPlan]
}

// readSchema reads the schema file and makes what the copies share.
func (s *Source) readSchema() error {
	if s.SchemaFile != "" {
		text, err := os.ReadFile(s.SchemaFile)
		if err != nil {
			return fmt.Errorf("schema_file: %w", err)
		}
		s.SchemaText = text
	}
	if s.Format != FormatAvro && s.Format != FormatProtobuf {
		return nil
	}
	with := s.WithDefaults()
	sound := len(with.Holds) == 1 && (s.SchemaRegistry == nil || s.SchemaRegistry.Validate() == nil)
	if !sound {
		return nil // Validate says what is wrong
	}
	shared, err := with.share()
	s.shared = shared
	return err
}

func (s Source) share() (shared *sharedSchemas, err error) {
	shared = &sharedSchemas{}
	switch s.Format {
	case FormatAvro:
		shared.avro, err = s.avroPlans()
	case FormatProtobuf:
		shared.protobuf, err = s.protoPlans()
	}
	return shared, err
}

// checkSchemas returns the mistakes that avro and protobuf have in common.
func (s Source) checkSchemas() error {
	var errs []error
	if len(s.Holds) > 1 {
		errs = append(errs, fmt.Errorf("holds: %s holds one kind of events a topic", s.Format))
	}
	if s.Model != "" || s.Deploy != "" || s.Stage != "" {
		errs = append(errs, fmt.Errorf("model, deploy_hash and stage: %s events say these themselves; leave them out", s.Format))
	}
	if s.SchemaRegistry != nil {
		errs = append(errs, s.SchemaRegistry.Validate())
		if s.SchemaFile != "" {
			errs = append(errs, errors.New("schema_file and schema_registry: records are either framed with a schema id or not; leave one out"))
		}
	}
	return errors.Join(errs...)
}

// registry returns a client of the source's registry. format is what the
// schemas are asked for in, empty for their text.
func (s Source) registry(format string) (schemaSource, error) {
	if s.SchemaRegistry == nil {
		return nil, nil
	}
	return newRegistry(*s.SchemaRegistry, format)
}

// Schema is a schema as a registry keeps it.
type Schema struct {
	ID   uint32
	Type string // AVRO, PROTOBUF or JSON
	Text []byte
	// References are the schemas it refers to, each after those that it refers
	// to itself.
	References []SchemaReference
}

// SchemaReference is a schema under the name by which another refers to it.
type SchemaReference struct {
	Name string
	Text []byte
}

// schemaSource finds schemas by their id. Its error is an *Error if there is no
// such schema, and *Unavailable if that cannot be known now.
type schemaSource interface {
	Schema(id uint32) (Schema, error)
}

// confluentHeader is the magic byte 0 and the schema id, big endian.
const confluentHeader = 5

// frame takes the Confluent header off a record. The header is that without its
// magic byte.
func frame(b []byte) (header, body []byte, err *Error) {
	if len(b) < confluentHeader || b[0] != 0 {
		return nil, nil, bad(Unparsable, "the record does not begin with the byte 0 and a schema id; send it with a serializer that registers its schema")
	}
	return b[1:confluentHeader:confluentHeader], b[confluentHeader:], nil
}

// isFramed reports whether a record that should have no Confluent header seems to
// have one. It serves errors: text does not begin with the byte 0, but a record of
// Avro may.
func isFramed(b []byte) bool { return len(b) >= confluentHeader && b[0] == 0 }

// noObject refuses a record of JSON that is no object.
func noObject(record []byte) *Error {
	if isFramed(record) {
		return bad(Unparsable, "the record begins with the byte 0 and a schema id, as a schema registry's serializer writes it, and JSON does not; send one JSON object a record with a plain serializer")
	}
	return bad(Unparsable, "send one JSON object a record")
}

// unframed adds to what is wrong with a record that is read without a registry
// that it seems to come from one.
func (p *schemaPlans[P]) unframed(err *Error, record []byte) *Error {
	if (err.Reason == Unparsable || err.Reason == MissingField) && !p.framed() && isFramed(record) {
		err.Hint += "; the record begins as with a schema registry's frame: if it has one, set schema_registry, and no schema_file"
	}
	return err
}

// schemaPlans are the compiled plans of a source, shared by its decoders. They
// are kept for ever: a schema never changes under its id.
type schemaPlans[P any] struct {
	from    schemaSource // nil: every record has the plan of the empty header
	compile func(s Schema, header []byte) (*P, *Error)

	mu   sync.RWMutex
	done map[string]planned[P]
}

// planned is a plan, or why there is none.
type planned[P any] struct {
	plan    *P
	refused *Error
}

func newPlans[P any](from schemaSource, compile func(Schema, []byte) (*P, *Error)) *schemaPlans[P] {
	return &schemaPlans[P]{from: from, compile: compile, done: map[string]planned[P]{}}
}

// framed reports whether records begin with a header.
func (s *schemaPlans[P]) framed() bool { return s.from != nil }

// plan returns the plan of the records with a header.
func (s *schemaPlans[P]) plan(header []byte) (*P, error) {
	s.mu.RLock()
	found, ok := s.done[string(header)]
	s.mu.RUnlock()
	if !ok {
		var schema Schema
		if s.from != nil {
			var err error
			if schema, err = s.from.Schema(binary.BigEndian.Uint32(header)); err != nil {
				return nil, err
			}
		}
		found.plan, found.refused = s.compile(schema, header)
		s.mu.Lock()
		// Headers come from producers: those that never give a plan are not kept
		// without bound.
		if len(s.done) < maxPlans {
			s.done[string(slices.Clone(header))] = found
		}
		s.mu.Unlock()
	}
	if found.refused != nil {
		refused := *found.refused // the caller may add to it
		return nil, &refused
	}
	return found.plan, nil
}

const maxPlans = 10_000

// planUser is a decoder's view of the plans. Records of two versions of a schema
// alternate while producers are rolled out, so it keeps what it knows of each.
type planUser[P any] struct {
	plans *schemaPlans[P]
	used  map[string]*usedPlan[P]
}

type usedPlan[P any] struct {
	header string
	plan   *P
	interned
}

// use returns the plan of the records with a header.
func (u *planUser[P]) use(header []byte) (*usedPlan[P], error) {
	if found, ok := u.used[string(header)]; ok {
		return found, nil
	}
	plan, err := u.plans.plan(header)
	if err != nil {
		return nil, err
	}
	if u.used == nil || len(u.used) >= maxUsed {
		u.used = map[string]*usedPlan[P]{}
	}
	found := &usedPlan[P]{header: string(header), plan: plan}
	u.used[found.header] = found
	return found, nil
}

const maxUsed = 64

func checkAvro(s Source) error {
	errs := []error{s.checkSchemas()}
	if s.Message != "" {
		errs = append(errs, errors.New("message: avro has no messages; leave it out"))
	}
	switch {
	case s.SchemaFile == "" && s.SchemaRegistry == nil:
		errs = append(errs, errors.New("schema_file or schema_registry: avro needs the schema the events were written with; name one"))
	case s.SchemaFile != "" && len(s.Holds) == 1:
		if _, err := compileAvroText(Schema{Text: s.SchemaText}, s.SchemaFile, s.Holds[0]); err != nil {
			errs = append(errs, fmt.Errorf("schema_file: %w", err))
		}
	}
	return errors.Join(errs...)
}

func (s Source) avroPlans() (*schemaPlans[avroPlan], error) {
	from, err := s.registry("")
	if err != nil {
		return nil, err
	}
	kind, file, text := s.Holds[0], s.SchemaFile, s.SchemaText
	return newPlans(from, func(schema Schema, _ []byte) (*avroPlan, *Error) {
		if from == nil {
			return compileAvroText(Schema{Text: text}, file, kind)
		}
		name := fmt.Sprintf("schema %d", schema.ID)
		if schema.Type != "" && schema.Type != "AVRO" {
			return nil, bad(WrongType, fmt.Sprintf("%s is of type %s; send Avro, or configure another format", name, schema.Type))
		}
		return compileAvroText(schema, name, kind)
	}), nil
}

func compileAvroText(s Schema, name string, kind Kind) (*avroPlan, *Error) {
	names := avroNames{}
	for _, ref := range s.References {
		if _, err := names.parse(ref.Text); err != nil {
			return nil, bad(Unparsable, fmt.Sprintf("%s: reference %s: %s", name, ref.Name, err))
		}
	}
	root, err := names.parse(s.Text)
	if err != nil {
		return nil, bad(Unparsable, fmt.Sprintf("%s: %s", name, err))
	}
	return compileAvro(name, root, kind)
}

func openAvro(s Source, into Columns) (Decoder, error) {
	shared := s.shared
	if shared == nil {
		var err error
		if shared, err = s.share(); err != nil {
			return nil, err
		}
	}
	return &avroDecoder{typed: typed{into: into}, planUser: planUser[avroPlan]{plans: shared.avro}}, nil
}
