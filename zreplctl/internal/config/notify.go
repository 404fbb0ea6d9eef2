package config

import (
	"strings"

	"gopkg.in/yaml.v3"
)

// Notify is a command that is run when a job's state becomes one of On.
type Notify struct {
	Command []string
	On      []string
}

// Key names the entry among others. One command may be named twice, for
// different states.
func (n Notify) Key() string {
	return strings.Join(n.Command, "\x00") + "\x00\x00" + strings.Join(n.On, "\x00")
}

// notifyStates are what a command can be run on.
var notifyStates = []string{"failed", "late", "never", "not-offered", "ok"}

// NotifyOf returns the commands of a job: its own, or those of global.
func (c *Config) NotifyOf(name string) []Notify {
	if j, err := c.Job(name); err == nil && len(j.Notify) > 0 {
		return j.Notify
	}
	return c.Notify
}

// Notifies reports whether any job has a command.
func (c *Config) Notifies() bool {
	for _, j := range c.Jobs {
		if len(c.NotifyOf(j.Name)) > 0 {
			return true
		}
	}
	return false
}

const maxNotify = 20

func (d *decoder) notify(n *yaml.Node, what string) (all []Notify) {
	d.list(n, what, func(v *yaml.Node) {
		if len(all) == maxNotify {
			d.wrong(v, "%s: more than %d", what, maxNotify)
			return
		}
		one := Notify{On: notifyStates}
		seen := d.dict(v, what, []string{"command", "on"}, func(key string, _, v *yaml.Node) {
			if key == "command" {
				one.Command = d.strings(v, what+": command")
				return
			}
			one.On = nil
			d.list(v, what+": on", func(v *yaml.Node) {
				one.On = append(one.On, d.word(v, what+": on", notifyStates...))
			})
		})
		if seen && len(one.Command) == 0 {
			d.wrong(v, "%s: command is missing or empty", what)
		}
		all = append(all, one)
	})
	return all
}

func encodeNotify(all []Notify) *yaml.Node {
	list := &yaml.Node{Kind: yaml.SequenceNode}
	for _, one := range all {
		m := dictionary()
		m.put("command", one.Command)
		m.put("on", one.On)
		list.Content = append(list.Content, m.node())
	}
	return list
}
