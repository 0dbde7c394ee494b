// Package deadletters reads the dead-letter topic and puts letters back on the
// topics they came from. It is what people use after the cause of refused
// events has been mended; ingest itself only writes the topic.
//
// A replay never changes or removes a letter and never commits an offset: the
// topic stays as it is until its retention ends. A replayed record carries the
// header plumbline.replayed-from with the position of the record that was
// refused, and that header is how a second replay knows it: it reads the source
// partition from the refused record on. So recognition survives a crash
// between any two steps, costs a read of the partition, and ends where the
// source topic's retention has removed the replayed record or where the topic
// was recreated.
//
// A replayed event that is refused again becomes a new dead letter, at a new
// position, with the reason it has now; that letter can be replayed in turn.
//
// Where the privacy policy has keys, the contents of letters are sealed. A
// listing shows what ingest says about them and needs no key; the contents are
// opened with the keys in memory only, and a replay writes the opened record,
// never the sealed bytes.
//
// The package knows Kafka and nothing of ours but the headers, the seal, and
// packages dial and fetch: it may not decode events or know tables.
package deadletters
