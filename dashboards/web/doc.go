// Package web is the page in the binary: which models there are, which of them
// is wrong, and for one model what broke it, with the SQL behind each number. It
// is what a page's text links to, and works where Grafana does not.
//
// It is rendered on the server and holds no script. Missing data is shown as no
// data and never counts as healthy. Names that producers chose reach SQL as
// query parameters and HTML through html/template only.
//
// It may import the root package, storage, package dashboards and docs.
package web
