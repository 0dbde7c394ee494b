// Package ingest carries events from Kafka into ClickHouse exactly once: raw
// rows, their rollups, and one row a batch and table that says what is
// complete. It owns exactly-once and nothing else may write these tables.
//
// # The protocol
//
// A batch is a range of offsets of one topic partition. Before its first
// insert, the intent to insert it stands in Kafka, in the metadata of the
// offset commit: {epoch, last, plan} at offset first. The commit is fenced by
// the consumer group's generation. Then, in order: the raw rows, the three
// rollups, dead letters, a row a table in batches, and the commit of last+1,
// which carries the next intent if there is one.
//
// Whoever takes a partition over reads the commit. If it carries an intent, it
// fetches exactly that range again, decodes it again (decoding is a function
// of the record alone), looks which ClickHouse partitions of which tables hold
// it already, and inserts the rest. The same look precedes every retry within
// a process. So correctness rests on the looks; ClickHouse's deduplication
// window is only a second net under a statement that is still running. That net
// has a hole: a ClickHouse that is killed between noting a token and keeping its
// rows answers the token with success ever after, so an insert that may have
// been sent before is followed by another look.
//
// A process that is stopped (SIGSTOP, a frozen machine) after it has checked its
// ownership and before it has sent the statement sends it when it goes on,
// however much later, and a look cannot wait for a statement that is yet to
// come. So statements are fenced at ClickHouse too: a worker opens a session of
// the HTTP interface, writes its id into the intent, and sends every statement
// in that session with session_check=1. Whoever finds the intent closes the
// session (close_session=1) until ClickHouse says that it is gone. A statement
// that runs in it holds it until its end; one that comes later is refused with
// SESSION_NOT_FOUND before anything of it is done. The order is: open, commit
// the intent that names the session, send. The same holds for a worker's own
// statement whose answer never came: it closes its session and takes another.
// No clock decides, and a session that expired or ended with a restart only
// costs a new one.
//
// What the fence does not cover: a session lives on one server and belongs to
// one user. Where the DSN names several hosts, or clickhouse.fence is off
// because of a load balancer, the deduplication window alone stands against a
// late statement, as far as it remembers. A successor that talks to another
// replica than the former owner, or as another user, cannot close its session
// and waits until it must have expired; so does one whose server cannot close
// sessions. An intent that was lost with its commit (reset by hand, expired)
// names no session any more.
//
// What makes the looks exact: one statement writes one ClickHouse partition of
// one table, and ClickHouse stores such a statement whole or not at all. Raw
// rows carry topic, epoch, partition and offset. Rollup rows do not, so each
// statement carries a marker row (its model is the empty name, its series that of
// the source, the last offset stands in a max column): the marker is stored with
// its neighbours or not at all, and since the batches of a partition are stored
// one after the other, a marker at or beyond last says that this batch is in.
// Markers merge, so their number does not grow with the batches.
//
// Every event is counted in the whole and in the declared segments that it
// carries, see package segment: which those are depends on the event and on the
// configuration, never on what came before.
//
// The plan is a hash of everything that decides how an event becomes rows. If
// an intent was written under another plan, the stored raw rows are the truth
// if they are complete (rollups are then made from them in SQL); otherwise
// they are deleted by offset and inserted again.
//
// Where ClickHouse has shards, a partition has one, chosen by its name and
// number and kept in the offset commit. Every statement and look goes to that
// shard's local tables, never through a Distributed table; a batch begun on one
// shard is finished there, whatever the configuration says by then. Tokens,
// markers and sessions are a shard's own; epochs and complete batches are asked
// of every shard that may know the partition.
//
// An epoch is one life of a topic partition, told by a fingerprint of a record.
// A recreated topic gets another epoch, so its offsets never meet old tokens or
// markers.
//
// A commit may say more than is true of this ClickHouse: a backup was restored, a
// disk was lost, or another ClickHouse is fed by the same group. So it also says what
// was complete before it on the shard that it names, and where that is not so here,
// reading begins again behind the last batch of the epoch that is recorded here. Other
// ClickHouses may name the same epoch otherwise, and may be in the middle of a batch
// that is complete here: whatever a commit says, what is recorded is not stored again.
//
// The package never analyzes what it counts, and knows no rules or alerts: it
// tells a Noticer what people must know.
package ingest
