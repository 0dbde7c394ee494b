// Package email mails incidents to owners with Alertmanager's own e-mail
// notifier. It knows alerting's texts and that notifier, and may import nothing
// else of the module.
package email
