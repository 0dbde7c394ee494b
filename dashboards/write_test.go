package dashboards_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/plumbline-slo/plumbline/dashboards"
)

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

func TestWritePrunesOnlyItsOwn(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a [dir]* of \"quotes\"")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		"retired.json":  `{"tags": ["plumbline", "` + dashboards.GeneratedTag + `"]}`,
		"someones.json": `{"tags": ["plumbline"], "title": "mentions ` + dashboards.GeneratedTag + `"}`,
		"broken.json":   `{`,
		"notes.txt":     dashboards.GeneratedTag,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"broken.json", "notes.txt", "plumbline.yaml", "someones.json"}
	for _, g := range every(t, options()...) {
		want = append(want, g.Name+".json")
	}
	slices.Sort(want)
	for range 2 { // the second time finds its own files
		n, err := dashboards.Write(dir, options()...)
		if err != nil || n != len(want)-4 {
			t.Fatalf("wrote %d, %v", n, err)
		}
		if got := names(t, dir); !slices.Equal(got, want) {
			t.Errorf("directory holds %v, want %v", got, want)
		}
	}
	got, err := os.ReadFile(filepath.Join(dir, "plumbline-on-call.json"))
	if err != nil || string(got) != string(onCall(t, options()...)) {
		t.Errorf("the file is not the dashboard: %v", err)
	}
	checkProvider(t, dir)
}

func checkProvider(t *testing.T, dir string) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(dir, dashboards.ProviderFile))
	if err != nil {
		t.Fatal(err)
	}
	var provider struct {
		APIVersion int `yaml:"apiVersion"`
		Providers  []struct {
			Type    string
			Options struct{ Path string }
		}
	}
	if err := yaml.Unmarshal(raw, &provider); err != nil {
		t.Fatalf("provider file: %v", err)
	}
	if provider.APIVersion != 1 || len(provider.Providers) != 1 || provider.Providers[0].Type != "file" || provider.Providers[0].Options.Path != dir {
		t.Errorf("provider file says %+v", provider)
	}
}

func TestWriteNamesTheDirectoryItCannotUse(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := dashboards.Write(file); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("got %v", err)
	}
}

func TestPush(t *testing.T) {
	const folderExists = http.StatusPreconditionFailed
	var uids []string
	for _, g := range every(t) {
		uids = append(uids, g.Name)
	}
	tests := []struct {
		name           string
		folder, board  int
		wantErr        string
		wantDashboards int
	}{
		{"new folder", 200, 200, "", len(uids)},
		{"folder there", folderExists, 200, "", len(uids)},
		{"token refused", 401, 200, "401", 0},
		{"dashboard refused", 200, 412, "412: not today", 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			pushed := 0
			mux := http.NewServeMux()
			mux.HandleFunc("POST /grafana/api/folders", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(tt.folder) })
			mux.HandleFunc("POST /grafana/api/dashboards/db", func(w http.ResponseWriter, r *http.Request) {
				pushed++
				var body struct {
					Dashboard struct{ UID string }
					FolderUID string
					Overwrite bool
				}
				if err := json.NewDecoder(r.Body).Decode(&body); err != nil || !slices.Contains(uids, body.Dashboard.UID) || !body.Overwrite || body.FolderUID != dashboards.FolderUID {
					t.Errorf("pushed %+v, %v", body, err)
				}
				if got := r.Header.Get("Authorization"); got != "Bearer secret" {
					t.Errorf("authorization %q", got)
				}
				w.WriteHeader(tt.board)
				_, _ = w.Write([]byte("not today"))
			})
			server := httptest.NewServer(mux)
			defer server.Close()
			err := dashboards.Push(context.Background(), server.URL+"/grafana/", "secret")
			if (err != nil) != (tt.wantErr != "") || (err != nil && !strings.Contains(err.Error(), tt.wantErr)) {
				t.Errorf("got error %v, want %q", err, tt.wantErr)
			}
			if pushed != tt.wantDashboards {
				t.Errorf("%d dashboards pushed, want %d", pushed, tt.wantDashboards)
			}
		})
	}
}

func TestPushRefusesARelativeURL(t *testing.T) {
	if err := dashboards.Push(context.Background(), "grafana:3000", ""); err == nil {
		t.Error("accepted")
	}
}
