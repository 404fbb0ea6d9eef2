package config

import (
	"time"

	"gopkg.in/yaml.v3"

	"github.com/zrepl-tools/zrepl-tools/lib/cli"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/schedule"
)

// Rate is how many bytes a second may be moved, at all times or by windows of
// the day. Nil is no limit.
type Rate struct {
	Always  cli.Size
	Windows []RateWindow
}

// RateWindow is a rate for a part of the day.
type RateWindow struct {
	Window *schedule.Window
	Size   cli.Size
}

// At is the rate at a moment, 0 for no limit: that of the first window that it
// is in.
func (r *Rate) At(now time.Time, zone *time.Location) int64 {
	if r == nil {
		return 0
	}
	for _, w := range r.Windows {
		if w.Window.Has(now, zone) {
			return int64(w.Size)
		}
	}
	return int64(r.Always)
}

const maxRateWindows = 24

// rate reads a rate: bytes a second, or a dictionary of these by window.
func (d *decoder) rate(v *yaml.Node, what string) *Rate {
	n, ok := d.resolve(v)
	if !ok {
		return nil
	}
	if n.Kind != yaml.MappingNode {
		return &Rate{Always: d.rateSize(n, what)}
	}
	r := &Rate{}
	if len(n.Content) == 0 || len(n.Content) > 2*maxRateWindows {
		d.wrong(n, "%s: %d windows: 1 to %d are allowed", what, len(n.Content)/2, maxRateWindows)
		return r
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := n.Content[i]
		s, ok := d.str(k, what+": a window")
		if !ok {
			continue
		}
		w, err := schedule.ParseWindow(s)
		if err != nil {
			d.wrong(k, "%s: %v", what, err)
			continue
		}
		r.Windows = append(r.Windows, RateWindow{w, d.rateSize(n.Content[i+1], what+": "+s)})
	}
	return r
}

// rateSize reads bytes a second, as zsend-frame -rate does.
func (d *decoder) rateSize(v *yaml.Node, what string) cli.Size {
	n, ok := d.resolve(v)
	if !ok {
		return 0
	}
	var size cli.Size
	if n.Kind != yaml.ScalarNode || size.Set(n.Value) != nil || size == 0 {
		d.wrong(n, "%s must be bytes a second, such as 500K or 50M, not %s", what, kindOf(n))
	}
	return size
}

func (r *Rate) encode() *yaml.Node {
	if len(r.Windows) == 0 {
		return text(r.Always.String())
	}
	m := dictionary()
	for _, w := range r.Windows {
		m.put(w.Window.String(), text(w.Size.String()))
	}
	return m.node()
}
