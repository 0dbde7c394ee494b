package app

import (
	"net"
	"net/http"
	"net/url"
)

// guard refuses what a page of somebody else makes a browser ask for: changes
// from another origin and, where only this machine may connect, requests by a
// name that a stranger's DNS server points here. Loopback is no permission.
func guard(address net.Addr, externalURL string, next http.Handler) http.Handler {
	next = http.NewCrossOriginProtection().Handler(next)
	if tcp, ok := address.(*net.TCPAddr); !ok || !tcp.IP.IsLoopback() {
		return next
	}
	known := map[string]bool{"localhost": true}
	if u, err := url.Parse(externalURL); err == nil {
		known[u.Hostname()] = true
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// A Host is an authority: url.URL takes the port and brackets off.
		host := (&url.URL{Host: r.Host}).Hostname()
		if !known[host] && net.ParseIP(host) == nil {
			http.Error(w, "this service listens on loopback and is not known as "+host+"; set web.external_url", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}
