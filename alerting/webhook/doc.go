// Package webhook posts incidents to an address of the owner's, in the format of
// Alertmanager's webhook (version 4) and signed. It knows alerting's texts and
// Alertmanager's types, and may import nothing else of the module.
package webhook
