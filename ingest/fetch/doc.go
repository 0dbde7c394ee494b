// Package fetch is the hot path from a Kafka broker to record bytes: fetch
// requests on connections of its own, and a parser of record batches that
// hands out views into the response. It exists because the client library's
// own readers either do not check checksums or copy every record, and none of
// them drops aborted transactions.
//
// What a caller can rely on:
//
//   - Isolation is read_committed. Control batches and the records of aborted
//     transactions are never handed out, but the offsets they take are counted
//     in Chunk.Next.
//   - Every record was verified before Fetch returned: the batch's CRC-32C, its
//     decompression, and the structure of each record. Iterating cannot fail.
//   - A batch that cannot be read is an error that names topic, partition and
//     offset. It is never skipped; the good batches before it are delivered
//     first.
//   - Memory is bounded by Config, whatever lengths a response or a compressed
//     batch declares.
//
// What the checksum of the format does not cover is a batch's own base offset.
// A base offset out of order, or beyond the end of the log, is an error; any
// other change of it shows in Chunk.Gap, which is 0 on a topic that is not
// compacted.
//
// The package knows no consumer groups and commits nothing, decodes no payload,
// and imports nothing of ours. It logs nothing: what goes wrong is returned.
package fetch
