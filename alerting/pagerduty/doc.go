// Package pagerduty pages owners through PagerDuty's Events API v2: one alert
// an incident, triggered, acknowledged and resolved under a stable dedup_key,
// and a change event for every deploy. It knows alerting's texts and that API
// and may import nothing else of the module.
package pagerduty
