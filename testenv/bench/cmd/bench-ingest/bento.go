package main

import (
	"fmt"
	"net/url"
	"strings"
	"text/template"

	"github.com/plumbline-slo/plumbline/testenv/bench"
)

// bentoInput reads Kafka by franz-go in batches like ours.
const bentoInput = `
http: {enabled: false}
logger: {level: WARN}
input:
  kafka_franz:
    seed_brokers: ["{{.Brokers}}"]
    topics: ["{{.Topic}}"]
    consumer_group: "{{.Group}}"
    start_from_oldest: true
    checkpoint_limit: 200000
    commit_period: 1s
    batching: {count: 65536, period: 1s}
`

// bentoSQL is Bento's own output for ClickHouse. It cannot write a
// Map(String, Float64) (the driver refuses a map[string]any), so the features
// are columns of a table of their own, which is cheaper to insert than ours.
const bentoSQL = bentoInput + `
output:
  sql_insert:
    driver: clickhouse
    dsn: "{{.DSN}}"
    table: {{.Database}}.` + flatTable + `
    columns: [{{.Columns}}]
    max_in_flight: 1
    args_mapping: |
      root = [ {{.Values}} ]
`

// bentoHTTP sends JSONEachRow to ClickHouse's HTTP interface, into the table
// that ours has.
const bentoHTTP = bentoInput + `
pipeline:
  threads: 1
  processors:
    - mapping: |
        root.model = this.model
        root.deploy_hash = this.deploy_hash
        root.stage = this.stage.or("production")
        root.prediction_id = this.prediction_id
        root.ts = this.ts
        root.numbers = this.features.filter(f -> f.value.type() == "number")
        root.categories = this.features.filter(f -> f.value.type() == "string")
        root.score = this.score
        root.predicted = this.predicted
        root.latency_ms = this.latency_ms
        root.status = this.status.or("ok")
        root.weight = 1
        root.known = metadata("kafka_timestamp_unix") * 1000
        root._topic = metadata("kafka_topic")
        root._partition = metadata("kafka_partition")
        root._offset = metadata("kafka_offset")
    - archive: {format: lines}
output:
  http_client:
    url: "{{.URL}}"
    verb: POST
    timeout: 60s
    max_in_flight: 1
    basic_auth: {enabled: true, username: "{{.User}}", password: "{{.Password}}"}
`

const flatTable = "predictions_flat"

// bentoSettings fill the templates.
type bentoSettings struct {
	job
	Columns, Values     string
	URL, User, Password string
}

func newBentoSettings(j job) (bentoSettings, error) {
	dsn, err := url.Parse(j.DSN)
	if err != nil {
		return bentoSettings{}, err
	}
	password, _ := dsn.User.Password()
	query := url.Values{"database": {j.Database}, "query": {"INSERT INTO predictions FORMAT JSONEachRow"}}
	s := bentoSettings{job: j, User: dsn.User.Username(), Password: password, URL: dsn.Scheme + "://" + dsn.Host + "/?" + query.Encode()}
	var columns, values []string
	for _, c := range flatColumns() {
		columns, values = append(columns, c.name), append(values, c.value)
	}
	s.Columns, s.Values = strings.Join(columns, ", "), strings.Join(values, ", ")
	return s, nil
}

func (s bentoSettings) fill(text string) (string, error) {
	t, err := template.New("bento").Parse(text)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	if err := t.Execute(&b, s); err != nil {
		return "", err
	}
	return b.String(), nil
}

// flatColumn is a column of the flat table: its type in ClickHouse and its value
// in Bento's mapping language.
type flatColumn struct{ name, typ, value string }

func flatColumns() []flatColumn {
	const name, number, instant = "LowCardinality(String)", "Nullable(Float64) CODEC(ZSTD(1))", "DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1))"
	all := []flatColumn{
		{"model", name, "this.model"},
		{"deploy_hash", name, "this.deploy_hash"},
		{"stage", name, `this.stage.or("production")`},
		{"prediction_id", "String CODEC(ZSTD(1))", "this.prediction_id"},
		{"ts", instant, "this.ts.int64()"},
		{"score", number, "this.score.float64()"},
		{"predicted", name, "this.predicted"},
		{"latency_ms", number, "this.latency_ms.float64()"},
		{"status", name, `this.status.or("ok")`},
		{"weight", "Float64 CODEC(ZSTD(1))", "1.float64()"},
		{"known", instant, `metadata("kafka_timestamp_unix").int64() * 1000`},
		{"_topic", name, `metadata("kafka_topic")`},
		{"_partition", "Int32", `metadata("kafka_partition").int32()`},
		{"_offset", "Int64 CODEC(Delta, ZSTD(1))", `metadata("kafka_offset").int64()`},
	}
	for i := range bench.Numbers {
		all = append(all, flatColumn{bench.NumberName(i), number, "this.features." + bench.NumberName(i) + ".float64()"})
	}
	for i := range bench.Categories {
		all = append(all, flatColumn{bench.CategoryName(i), name, "this.features." + bench.CategoryName(i)})
	}
	return all
}

func createFlatTable() string {
	columns := make([]string, 0, 64)
	for _, c := range flatColumns() {
		columns = append(columns, c.name+" "+c.typ)
	}
	return fmt.Sprintf("CREATE TABLE %s (%s) ENGINE = MergeTree PARTITION BY toDate(ts) ORDER BY (model, ts, prediction_id)", flatTable, strings.Join(columns, ", "))
}
