// Package duty decides which replica evaluates a rule group: the members of a
// Kafka consumer group over an internal topic share its partitions, a rule group
// belongs to the partition of its name, and whoever has the partition has the
// duty. Nothing is ever written to the topic. The term of a duty is the
// partition's committed offset, raised under the generation of the consumer
// group: Kafka refuses the commit of a member that was replaced, so that terms
// only grow and no two members have the same, and alerting.TermHeader lets the
// replicas refuse whoever missed that. Where Kafka's offsets are gone, and with them how
// high the terms were, whoever is refused and has the duty raises its own over the
// greatest that a replica knows.
package duty
