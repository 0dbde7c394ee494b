// Package timeline reads incidents from ClickHouse and tells one as it happened,
// for the post-mortem: deploys, changes of data, drift before, what people were
// told and what they did. It changes nothing.
package timeline
