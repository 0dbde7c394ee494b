package web_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/plumbline-slo/plumbline/testenv"
)

func TestOverviewShowsTheServicesOwnTrouble(t *testing.T) {
	env := testenv.Start(t, testenv.Setup{})
	batch, err := env.DB.Conn().PrepareBatch(t.Context(), "INSERT INTO notices (at, kind, object, text)")
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []struct {
		ago                time.Duration
		kind, object, text string
	}{
		{5 * time.Hour, "partition_parked", "labels/0", "mended"},
		{4 * time.Hour, "partition_unparked", "labels/0", "goes on"},
		{5 * time.Hour, "partition_unparked", "labels/1", "went on"},
		{4 * time.Hour, "partition_parked", "labels/1", "no such <table>"},
		{3 * time.Hour, "disk_full", "host:/a", "90 % is used"},
		{2 * time.Hour, "offsets_lost", "predictions/0", "long over"},
		{time.Minute, "new_epoch", "predictions/1", "was recreated"},
		{2 * time.Hour, "partition_paused", "predictions/2", "too many are bad"},
		{3 * time.Hour, "partition_paused", "predictions/3", "were bad"},
		{2 * time.Hour, "partition_unpaused", "predictions/3", "are good again"},
		{2 * time.Hour, "decoding_waits", "predictions/4", "the registry is away"},
		{3 * time.Hour, "decoding_waits", "predictions/5", "was away"},
		{2 * time.Hour, "decoding_goes_on", "predictions/5", "is back"},
		{2 * time.Hour, "kafka_refused", "kafka-1:9093", "a certificate expired"},
		{3 * time.Hour, "kafka_refused", "kafka-2:9093", "had expired"},
		{2 * time.Hour, "kafka_accepted", "kafka-2:9093", "was renewed"},
		{time.Minute, "raw_left_out", "predictions", "is no trouble of its own"},
		{time.Minute, "alert_opened", "pagerduty platform", "page: first notification"},
	} {
		if err := batch.Append(now().Add(-n.ago), n.kind, n.object, n.text); err != nil {
			t.Fatal(err)
		}
	}
	if err := batch.Send(); err != nil {
		t.Fatal(err)
	}
	status, body := get(t, handler(t, env.DB.Conn(), config()), "/")
	if status != http.StatusOK {
		t.Fatalf("status %d: %s", status, body)
	}
	wants(t, body, "Plumbline itself is in trouble", "labels/1", "no such &lt;table&gt;", "disk_full", "new_epoch", "/runbooks/service", "no open incident",
		"too many are bad", "the registry is away", "a certificate expired")
	lacks(t, body, "predictions/3", "predictions/5", "kafka-2", "labels/0", "long over", "raw_left_out</strong>", "first notification")
}
