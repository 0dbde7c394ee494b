package app

import (
	"testing"
	"testing/synctest"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/ingest"
)

// A Kafka that refuses the service is a page until it takes it again.
func TestKafkaRefusedIsAPage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr, in := started(t)
		tr.Notice(t.Context(), ingest.Notice{Kind: ingest.NoticeRefused, Object: "kafka:9093", Text: "why"})
		pass(tr.cfg.Resend)
		a, n := in.last("KafkaRefused")
		if n == 0 || a.Label(plumbline.LabelSeverity) != plumbline.SeverityPage || a.EndsAt.Before(time.Now()) || a.Annotations[plumbline.AnnotationDescription] != "why" {
			t.Errorf("sent %d times, lately %+v", n, a)
		}
		tr.Notice(t.Context(), ingest.Notice{Kind: ingest.NoticeAccepted, Object: "kafka:9093"})
		pass(tr.cfg.Resend)
		if a, _ := in.last("KafkaRefused"); a.EndsAt.After(time.Now()) {
			t.Errorf("goes on: %+v", a)
		}
	})
}
