package ingest

import (
	"fmt"

	plumbline "github.com/plumbline-slo/plumbline"
)

// source names one life of one Kafka partition: a recreated topic has another
// epoch, so offsets of one source never repeat.
type source struct {
	Cluster   string
	Topic     string
	Epoch     string
	Partition int
}

// mark is the name under which rollup tables keep the last offset stored.
func (s source) mark() string {
	return fmt.Sprintf("%s/%s/%s/%d", s.Cluster, s.Epoch, s.Topic, s.Partition)
}

// token is the deduplication token of one statement: the rows of one batch in
// one ClickHouse partition of one table, as this plan makes them.
func (s source) token(first, last int64, table plumbline.TableName, key partKey, plan string) string {
	return fmt.Sprintf("%s/%d-%d/%s/%d/%s", s.mark(), first, last, table, key, plan)
}

// String names the partition for people.
func (s source) String() string { return PartitionName(s.Topic, s.Partition) }

// PartitionName is what people read for a partition, and the object of what is
// noticed of it.
func PartitionName(topic string, partition int) string { return fmt.Sprintf("%s/%d", topic, partition) }
