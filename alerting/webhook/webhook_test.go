package webhook_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/alertmanager/template"
	"github.com/prometheus/common/model"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/alerting"
	"github.com/plumbline-slo/plumbline/alerting/webhook"
	"github.com/plumbline-slo/plumbline/testenv/fakehttp"
	"github.com/plumbline-slo/plumbline/testenv/fakewebhook"
)

var update = flag.Bool("update", false, "write the golden files anew")

// memory is a State.
type memory map[string]string

func (m memory) GetStr(key string) (string, bool) { v, ok := m[key]; return v, ok }
func (m memory) SetStr(key, value string)         { m[key] = value }

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func fixed() time.Time { return noon }

func start(t *testing.T, change func(*webhook.Config)) (*fakewebhook.Server, *webhook.Channel) {
	t.Helper()
	fake, err := fakewebhook.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { fake.Close() })
	config := webhook.DefaultConfig()
	config.URL, config.ExternalURL = fake.Address(), "http://plumbline.example"
	if change != nil {
		change(&config)
	}
	channel, err := webhook.New(config, fixed)
	if err != nil {
		t.Fatal(err)
	}
	return fake, channel
}

func alerts(now time.Time) []alerting.Alert {
	page := alerting.Alert{
		Labels:      map[string]string{"alertname": "SLOBurn", "model": "fare", "deploy_hash": "9c41", "slo": "right", "severity": "page", "empty": ""},
		Annotations: map[string]string{"summary": "fare is wrong", "windows": "1h/5m", "target": "90%"},
		StartsAt:    now.Add(-time.Hour), EndsAt: now.Add(time.Hour), GeneratorURL: "http://plumbline.example/g",
	}
	ticket := page
	ticket.Labels = map[string]string{"alertname": "SLOBurn", "model": "fare", "deploy_hash": "9c41", "slo": "right", "severity": "ticket"}
	ticket.Annotations = map[string]string{"summary": "fare drifts", "windows": "1d/2h", "target": "90%"}
	ticket.EndsAt = now.Add(-time.Minute)
	return []alerting.Alert{page, ticket}
}

func notice(now time.Time) alerting.Notice {
	all := alerts(now)
	return alerting.Notice{
		Text:   alerting.NewText(all, plumbline.OwnerEntry{Name: "o"}, alerting.Explanation{}, nil, now),
		Alerts: all, State: memory{},
	}
}

// The oracle is Alertmanager's own template data of the same group.
func TestTheBodyIsAlertmanagers(t *testing.T) {
	now := time.Now()
	fake, channel := start(t, nil)
	n := notice(now)
	if result, err := channel.Notifier(plumbline.OwnerEntry{Name: "o"}).Notify(t.Context(), n); err != nil || !result.Sent {
		t.Fatalf("%+v, %v", result, err)
	}
	var group []*alert.Alert
	for _, a := range n.Alerts {
		labels, annotations := model.LabelSet{}, model.LabelSet{}
		for k, v := range a.Labels {
			if v != "" {
				labels[model.LabelName(k)] = model.LabelValue(v)
			}
		}
		for k, v := range a.Annotations {
			annotations[model.LabelName(k)] = model.LabelValue(v)
		}
		group = append(group, &alert.Alert{Alert: model.Alert{
			Labels: labels, Annotations: annotations, StartsAt: a.StartsAt, EndsAt: a.EndsAt, GeneratorURL: a.GeneratorURL,
		}})
	}
	tmpl, err := template.New()
	if err != nil {
		t.Fatal(err)
	}
	tmpl.ExternalURL = &url.URL{Scheme: "http", Host: "plumbline.example"}
	data := tmpl.Data("o", model.LabelSet{"model": "fare", "deploy_hash": "9c41", "slo": "right"}, nil, "first notification", group...)
	want := jsonMap(t, data)
	want["version"], want["groupKey"], want["truncatedAlerts"] = "4", n.Text.Incident, 0.0
	var got map[string]any
	if err := json.Unmarshal(fake.Requests()[0].Body, &got); err != nil {
		t.Fatal(err)
	}
	extra, ok := got["plumbline"].(map[string]any)
	if !ok || extra["incident"] != n.Text.Incident || extra["level"] != "PAGE" {
		t.Errorf("plumbline: %v", got["plumbline"])
	}
	delete(got, "plumbline")
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func jsonMap(t *testing.T, v any) map[string]any {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(raw, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestTheSignatureIsWhatTheHeaderSays(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte("s3cret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	fake, channel := start(t, func(c *webhook.Config) { c.SecretFile = file })
	if _, err := channel.Notifier(plumbline.OwnerEntry{Name: "o"}).Notify(t.Context(), notice(noon)); err != nil {
		t.Fatal(err)
	}
	request := fake.Requests()[0]
	header := request.Header.Get(webhook.HeaderSignature)
	mac := hmac.New(sha256.New, []byte("s3cret"))
	mac.Write(append([]byte("1795262400."), request.Body...))
	if want := "t=1795262400,v1=" + hex.EncodeToString(mac.Sum(nil)); header != want {
		t.Fatalf("header %q, want %q", header, want)
	}
	verify := func(header, secret string, body []byte, now time.Time) error {
		return webhook.Verify(header, secret, body, now, 5*time.Minute)
	}
	if err := verify(header, "s3cret", request.Body, noon.Add(4*time.Minute)); err != nil {
		t.Error(err)
	}
	for name, err := range map[string]error{
		"another secret": verify(header, "secret", request.Body, noon),
		"another body":   verify(header, "s3cret", append(request.Body, ' '), noon),
		"too old":        verify(header, "s3cret", request.Body, noon.Add(6*time.Minute)),
		"another time":   verify(strings.Replace(header, "t=1795262400", "t=1795262401", 1), "s3cret", request.Body, noon),
		"nothing":        verify("", "s3cret", request.Body, noon),
	} {
		if err == nil {
			t.Errorf("%s: was taken", name)
		}
	}
}

func TestOwnersHaveTheirOwnAddress(t *testing.T) {
	fake, _ := start(t, nil)
	channel, err := webhook.New(webhook.DefaultConfig(), fixed)
	if err != nil {
		t.Fatal(err)
	}
	if channel.Notifier(plumbline.OwnerEntry{Name: "o"}) != nil {
		t.Error("nobody's address reaches somebody")
	}
	n := channel.Notifier(plumbline.OwnerEntry{Name: "o", WebhookURL: fake.Address() + "/own"})
	if _, err := n.Notify(t.Context(), notice(noon)); err != nil {
		t.Fatal(err)
	}
	if r := fake.Requests()[0]; r.Path != "/hook/own" || r.Header.Get(webhook.HeaderSignature) != "" {
		t.Errorf("posted to %s, signed %q", r.Path, r.Header.Get(webhook.HeaderSignature))
	}
	for name, o := range map[string]plumbline.OwnerEntry{
		"no URL": {WebhookURL: "example.com/x"}, "another scheme": {WebhookURL: "file:///etc/passwd"}, "a secret alone": {WebhookSecretFile: "x"},
	} {
		if webhook.ValidateOwner(o) == nil {
			t.Errorf("%s: is taken", name)
		}
	}
	if err := webhook.ValidateOwner(plumbline.OwnerEntry{WebhookURL: "https://example.com/x", WebhookSecretFile: "x"}); err != nil {
		t.Error(err)
	}
}

func TestRedirectsAndSecretsInErrors(t *testing.T) {
	fake, channel := start(t, nil)
	n := channel.Notifier(plumbline.OwnerEntry{Name: "o"})
	fake.Fail(fakehttp.Fault{Status: http.StatusTemporaryRedirect}, fakehttp.Fault{Cut: true})
	if result, err := n.Notify(t.Context(), notice(noon)); err == nil || result.Retry {
		t.Errorf("redirect: %+v, %v", result, err)
	}
	if _, err := n.Notify(t.Context(), notice(noon)); err == nil || strings.Contains(err.Error(), fake.URL()) {
		t.Errorf("the error tells the address: %v", err)
	}
}

// The golden file is a whole request as a receiver gets it.
func TestGoldenBody(t *testing.T) {
	fake, channel := start(t, nil)
	if _, err := channel.Notifier(plumbline.OwnerEntry{Name: "flights-oncall"}).Notify(t.Context(), notice(noon)); err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	if err := json.Indent(&got, fake.Requests()[0].Body, "", "  "); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("testdata", "page.json")
	if *update {
		if err := os.WriteFile(path, got.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("%s differs; run go test -update and read the diff. Got:\n%s", path, got.Bytes())
	}
}

func TestTruncation(t *testing.T) {
	fake, channel := start(t, func(c *webhook.Config) { c.MaxAlerts = 1 })
	if _, err := channel.Notifier(plumbline.OwnerEntry{Name: "o"}).Notify(t.Context(), notice(noon)); err != nil {
		t.Fatal(err)
	}
	var got struct {
		TruncatedAlerts int
		Alerts          []any
	}
	if err := json.Unmarshal(fake.Requests()[0].Body, &got); err != nil || got.TruncatedAlerts != 1 || len(got.Alerts) != 1 {
		t.Errorf("%+v, %v", got, err)
	}
}
