// Command bento is the peer that bench-ingest measures ingest against: Bento, a
// stream processor, with only the components that its pipeline needs. It lives
// in a module of its own so that none of its dependencies is one of Plumbline's.
package main

import (
	"context"

	// The drivers and components register themselves.
	_ "github.com/ClickHouse/clickhouse-go/v2"
	_ "github.com/warpstreamlabs/bento/public/components/io"
	_ "github.com/warpstreamlabs/bento/public/components/kafka"
	_ "github.com/warpstreamlabs/bento/public/components/pure"
	_ "github.com/warpstreamlabs/bento/public/components/sql/base"
	"github.com/warpstreamlabs/bento/public/service"
)

func main() { service.RunCLI(context.Background()) }
