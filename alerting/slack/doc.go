// Package slack tells owners about incidents in Slack: one root message an
// incident, changed in place, with its history in the thread, and buttons that
// acknowledge, silence and run the gate. It knows alerting's texts, Slack's Web
// API and Slack's signed callbacks, and may import nothing else of the module.
package slack
