package web_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/plumbline-slo/plumbline/dashboards/web"
)

// aRunbook holds every form that a runbook may take, and what would be an attack.
const aRunbook = `# A model is *wrong*
**You were paged** because
it burns, see [the labels](label-delay.md).

1. Look at ` + "`findings`" + `.
   It is a table.
2. Ask **` + "`x`" + `**.
- one <b>
* two [out](https://example.org/a) [in](../slo.md) [js](javascript:alert(1))

| what | do |
|---|:--|
| a \| b | **roll back** |
| alone

` + "```sql\nSELECT '<x>', '# no heading'\n```" + `
### Deep
2 * 3 * 4 | no table
` + "```\nnever closed"

func TestARunbookIsReadNotDumped(t *testing.T) {
	h := handler(t, broken{}, web.Config{GrafanaURL: "https://grafana.example/d/x", Runbooks: fstest.MapFS{"a.md": {Data: []byte(aRunbook)}}})
	status, body := get(t, h, "/runbooks/a")
	if status != http.StatusOK {
		t.Fatalf("status %d", status)
	}
	wants(t, body,
		"<h1>A model is <em>wrong</em></h1>",
		`<p><strong>You were paged</strong> because it burns, see <a href="label-delay.md">the labels</a>.</p>`,
		"<ol><li>Look at <code>findings</code>. It is a table.</li><li>Ask <code>x</code>.</li></ol>",
		`<ul><li>one &lt;b&gt;</li><li>two <a href="https://example.org/a">out</a> in js)</li></ul>`,
		"<thead><tr><th>what</th><th>do</th></tr></thead>",
		"<tr><td>a | b</td><td><strong>roll back</strong></td></tr><tr><td>alone</td></tr>",
		"<pre>SELECT &#39;&lt;x&gt;&#39;, &#39;# no heading&#39;</pre>",
		"<h3>Deep</h3>", "<p>2 * 3 * 4 | no table</p>", "<pre>never closed</pre>",
		"https://grafana.example/d/x",
	)
	lacks(t, body, "<b>", "javascript:", "../slo.md", `http-equiv="refresh"`)
}

func TestOwnRunbooksLoseNothing(t *testing.T) {
	h := handler(t, broken{}, web.Config{})
	_, list := get(t, h, "/runbooks/")
	parts := strings.Split(list, `<li><a href="`)
	if len(parts) < 2 {
		t.Fatal("no runbook")
	}
	for _, part := range parts[1:] {
		path, _, _ := strings.Cut(part, `"`)
		status, body := get(t, h, path)
		if status != http.StatusOK {
			t.Errorf("%s: status %d", path, status)
		}
		// What is left of Markdown's marks was not understood.
		lacks(t, body, "**", "```", "|---", "](")
		for _, link := range strings.Split(body, `<a href="`)[1:] {
			href, _, _ := strings.Cut(link, `"`)
			if strings.HasSuffix(href, ".md") {
				if status, _ := get(t, h, "/runbooks/"+href); status != http.StatusOK {
					t.Errorf("%s links to %s: status %d", path, href, status)
				}
			}
		}
	}
}
