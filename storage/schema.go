package storage

import (
	"fmt"
	"slices"
	"strings"

	"github.com/apache/arrow/go/v17/arrow"

	plumbline "github.com/plumbline-slo/plumbline"
)

// nameType is the Arrow type of a LowCardinality(String) column.
func nameType() arrow.DataType {
	return &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int32, ValueType: arrow.BinaryTypes.String}
}

// mapOf is a map by name. Its values are not nullable: ClickHouse would make a
// mask of them and check it against a column that has none.
func mapOf(values arrow.DataType) arrow.DataType {
	m := arrow.MapOf(nameType(), values)
	m.SetItemNullable(false)
	return m
}

// arrowType maps a declared column type to the Arrow type that ClickHouse's
// ArrowStream input reads into it without loss.
func arrowType(t plumbline.ColumnType) (arrow.DataType, error) {
	switch t {
	case plumbline.TypeString:
		return arrow.BinaryTypes.String, nil
	case plumbline.TypeName:
		return nameType(), nil
	case plumbline.TypeTime:
		return &arrow.TimestampType{Unit: arrow.Millisecond, TimeZone: "UTC"}, nil
	case plumbline.TypeSecond:
		return &arrow.TimestampType{Unit: arrow.Second, TimeZone: "UTC"}, nil
	case plumbline.TypeFloat, plumbline.TypeFloatOrNull, plumbline.TypeMin, plumbline.TypeMax:
		return arrow.PrimitiveTypes.Float64, nil
	case plumbline.TypeInt8:
		return arrow.PrimitiveTypes.Int8, nil
	case plumbline.TypeInt32:
		return arrow.PrimitiveTypes.Int32, nil
	case plumbline.TypeInt64:
		return arrow.PrimitiveTypes.Int64, nil
	case plumbline.TypeUint8:
		return arrow.PrimitiveTypes.Uint8, nil
	case plumbline.TypeUint64, plumbline.TypeCount:
		return arrow.PrimitiveTypes.Uint64, nil
	case plumbline.TypeNames:
		return arrow.ListOfNonNullable(nameType()), nil
	case plumbline.TypeNumbers:
		return mapOf(arrow.PrimitiveTypes.Float64), nil
	case plumbline.TypeCategories:
		return mapOf(arrow.BinaryTypes.String), nil
	case plumbline.TypeWideSum:
		return &arrow.FixedSizeBinaryType{ByteWidth: 32}, nil
	case plumbline.TypeChanges:
		return arrow.StructOf(
			arrow.Field{Name: "1", Type: arrow.ListOfNonNullable(arrow.PrimitiveTypes.Int32)},
			arrow.Field{Name: "2", Type: arrow.ListOfNonNullable(arrow.PrimitiveTypes.Int64)},
		), nil
	case plumbline.TypeFixedSum, plumbline.TypeSum:
		return &arrow.FixedSizeBinaryType{ByteWidth: 16}, nil
	case plumbline.TypeHistogram:
		return arrow.StructOf(
			arrow.Field{Name: "1", Type: arrow.ListOfNonNullable(arrow.PrimitiveTypes.Int32)},
			arrow.Field{Name: "2", Type: arrow.ListOfNonNullable(arrow.PrimitiveTypes.Uint64)},
		), nil
	}
	return nil, fmt.Errorf("column type %q has no Arrow type", t)
}

// ArrowSchema returns the Arrow schema of a declared table, its columns in the
// declared order. It panics for a table that is not declared, which is a
// mistake of the program, never of its input.
func ArrowSchema(table plumbline.TableName) *arrow.Schema {
	t, err := declared(table)
	if err != nil {
		panic(err)
	}
	schema, err := arrowSchema(t)
	if err != nil {
		panic(err)
	}
	return schema
}

func arrowSchema(t plumbline.Table) (*arrow.Schema, error) {
	fields := make([]arrow.Field, len(t.Columns))
	for i, c := range t.Columns {
		typ, err := arrowType(c.Type)
		if err != nil {
			return nil, fmt.Errorf("%s.%s: %w", t.Name, c.Name, err)
		}
		fields[i] = arrow.Field{Name: c.Name, Type: typ, Nullable: c.Type == plumbline.TypeFloatOrNull}
	}
	return arrow.NewSchema(fields, nil), nil
}

func declared(name plumbline.TableName) (plumbline.Table, error) {
	for _, t := range plumbline.Tables() {
		if t.Name == name {
			return t, nil
		}
	}
	return plumbline.Table{}, fmt.Errorf("table %q is not declared", name)
}

// createTable returns the DDL of a table.
func (c Config) createTable(t plumbline.Table) string {
	var b strings.Builder
	fmt.Fprintf(&b, "CREATE TABLE IF NOT EXISTS %s.%s%s\n(\n", quoteIdentifier(c.Database), quoteIdentifier(c.local(t.Name)), c.onCluster())
	clauses := make([]string, 0, len(t.Columns)+len(t.Extra))
	for _, col := range t.Columns {
		clauses = append(clauses, "    "+columnDDL(col))
	}
	for _, extra := range t.Extra {
		clauses = append(clauses, "    "+extra)
	}
	b.WriteString(strings.Join(clauses, ",\n"))
	fmt.Fprintf(&b, "\n)\nENGINE = %s\n", c.engine(t))
	if t.PartitionBy != "" {
		fmt.Fprintf(&b, "PARTITION BY %s\n", t.PartitionBy)
	}
	order := t.OrderBy
	if t.SearchBy != "" {
		fmt.Fprintf(&b, "PRIMARY KEY (%s)\n", t.SearchBy)
		order = t.SearchBy + ", " + order
	}
	fmt.Fprintf(&b, "ORDER BY (%s)\n", order)
	if ttl := c.ttl(t); ttl != "" {
		fmt.Fprintf(&b, "TTL %s\n", ttl)
	}
	fmt.Fprintf(&b, "SETTINGS %s\n", strings.Join(c.settings(t), ", "))
	fmt.Fprintf(&b, "COMMENT '%s'", strings.ReplaceAll(t.Doc, "'", "''"))
	return b.String()
}

// createDistributed returns the DDL of the table over all shards, for readers.
// It has no sharding key: the rows of a table are spread by the Kafka partition
// they came through, not by any column, and ClickHouse takes a key for a promise
// (optimize_distributed_group_by_sharding_key groups on each shard apart,
// optimize_skip_unused_shards leaves shards out). Without one ClickHouse also
// refuses inserts through it, which are never exactly once.
func (c Config) createDistributed(t plumbline.Table) string {
	database := quoteIdentifier(c.Database)
	return fmt.Sprintf("CREATE TABLE IF NOT EXISTS %s.%s%s AS %s.%s\nENGINE = Distributed(%s, %s, %s)\nCOMMENT '%s'",
		database, quoteIdentifier(string(t.Name)), c.onCluster(), database, quoteIdentifier(c.local(t.Name)),
		quoteIdentifier(c.Cluster), database, quoteIdentifier(c.local(t.Name)), strings.ReplaceAll(t.Doc, "'", "''"))
}

func columnDDL(c plumbline.Column) string {
	ddl := quoteIdentifier(c.Name) + " " + string(c.Type)
	if c.Default != "" {
		ddl += " DEFAULT " + c.Default
	}
	ddl += fmt.Sprintf(" COMMENT '%s'", strings.ReplaceAll(c.Doc, "'", "''"))
	if c.Codec != "" {
		ddl += " CODEC(" + c.Codec + ")"
	}
	return ddl
}

func (c Config) onCluster() string {
	if c.Cluster == "" {
		return ""
	}
	return " ON CLUSTER " + quoteIdentifier(c.Cluster)
}

// engine adds Replicated on a cluster, where the server's default replica path
// and name macros apply.
func (c Config) engine(t plumbline.Table) string {
	engine := t.Engine
	if c.Cluster != "" {
		engine = "Replicated" + engine
	}
	if !strings.HasSuffix(engine, ")") {
		engine += "()"
	}
	return engine
}

// settings are the table's, each as `name = value`.
func (c Config) settings(t plumbline.Table) []string {
	return append([]string{c.dedupSetting() + fmt.Sprintf(" = %d", c.DedupWindow)}, t.Settings...)
}

func (c Config) dedupSetting() string {
	if c.Cluster != "" {
		return "replicated_deduplication_window"
	}
	return "non_replicated_deduplication_window"
}

func (c Config) ttl(t plumbline.Table) string {
	age := c.Retention.of(t.Level)
	if t.Retention == "" || age == 0 {
		return ""
	}
	of := t.Retention
	if slices.ContainsFunc(t.Columns, func(c plumbline.Column) bool { return c.Name == of }) {
		of = quoteIdentifier(of)
	}
	return fmt.Sprintf("toDateTime(%s) + toIntervalDay(%d)", of, int(age/day))
}
