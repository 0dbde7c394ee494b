package slack

import (
	"encoding/json"
	"strings"

	"github.com/slack-go/slack"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/alerting"
)

// Buttons says which buttons a message has.
type Buttons struct {
	// Shown is false where nothing answers callbacks: a button that does nothing
	// is worse than none.
	Shown bool
	// Gate adds the one that runs the gate on the incident's deploy.
	Gate bool
	// Level is the level that the incident is known to have: who clicks takes that
	// one. Empty is whatever it is when they click.
	Level string
}

// The action ids of the buttons.
const (
	actionAck       = "plumbline_ack"
	actionSilence   = "plumbline_silence"
	actionGate      = "plumbline_gate"
	actionDashboard = "plumbline_dashboard"

	// blockActions names the row, so that a person who reads the JSON knows it.
	blockActions = "plumbline_actions"
	// maxValue is Slack's limit of a button's value.
	maxValue = 2000
)

// row returns the buttons of an incident that goes on, or nil.
func (b Buttons) row(t alerting.Text) slack.Block {
	if !b.Shown || t.Status != alerting.StatusFiring {
		return nil
	}
	button := func(action, value, label string) *slack.ButtonBlockElement {
		return slack.NewButtonBlockElement(action, value, slack.NewTextBlockObject(slack.PlainTextType, label, false, false))
	}
	var row []slack.BlockElement
	if t.Acked == nil {
		row = append(row, button(actionAck, seenValue(t.Incident, b.Level), "Acknowledge").WithStyle(slack.StylePrimary))
	}
	row = append(row, button(actionSilence, seenValue(t.Incident, b.Level), "Silence 1 h"))
	if url := t.Link("Dashboard"); url != "" {
		row = append(row, button(actionDashboard, "", "Dashboard").WithURL(url))
	}
	if value := gateValue(t); b.Gate && value != "" {
		row = append(row, button(actionGate, value, "Run the gate"))
	}
	return slack.NewActionBlock(blockActions, row...)
}

// seenValue is the incident and the level at which who clicks saw it; keys have no
// spaces.
func seenValue(incident, level string) string { return strings.TrimSpace(incident + " " + level) }

// gateTarget is what the gate is run on. A button's value is ours: Slack signs
// what it sends back.
type gateTarget struct {
	Model  plumbline.Model      `json:"m"`
	Deploy plumbline.DeployHash `json:"d"`
}

// gateValue is empty if there is no deploy to judge, or its name is longer than
// a button can carry.
func gateValue(t alerting.Text) string {
	value, err := json.Marshal(gateTarget{t.Model, t.Deploy})
	if err != nil || t.Model == "" || t.Deploy == "" || len(value) > maxValue {
		return ""
	}
	return string(value)
}
