// Package plumbline is the vocabulary of the whole: the identifiers, the
// events, the tables and the signals that every other package speaks of.
//
// Plumbline watches model endpoints the way Prometheus watches servers.
// Prediction and label logs come in over Kafka, land in ClickHouse as Arrow
// batches, and become drift, label-delayed quality and burn rates; when a model
// stops being right, one page reaches its owner, with the reason in it.
//
//	predictions, labels, deployments          (Kafka topics)
//	  -> ingest      columns, rollups, exactly once
//	  -> storage     ClickHouse, one schema
//	  -> ingest/join labels meet predictions: outcomes, outcome cells
//	  -> analyze     drift, quality, burn: rows of the table findings
//	  -> rules       OpenSLO files to Prometheus rules, evaluated over findings
//	  -> alerting    one incident, one page: Slack, PagerDuty, webhook, mail
//	  -> dashboards  generated from the signals declared here
//
// This package imports the standard library only and may not import any other
// package of the module: everything else imports it.
package plumbline
