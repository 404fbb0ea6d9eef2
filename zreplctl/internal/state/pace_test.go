package state

import (
	"fmt"
	"testing"
	"time"
)

func TestPace(t *testing.T) {
	d := In(t.TempDir())
	p := d.Pace("thing", time.Hour)
	ago := func(age time.Duration) {
		t.Helper()
		if err := d.Write("thing", fmt.Appendln(nil, time.Now().Add(-age).Unix())); err != nil {
			t.Fatal(err)
		}
	}
	if p.Due() || p.Due() {
		t.Error("it is due at once")
	}
	for age, want := range map[time.Duration]bool{30 * time.Minute: false, 2 * time.Hour: true, -2 * time.Hour: false} {
		ago(age)
		if got := p.Due(); got != want {
			t.Errorf("after %v: %v", age, got)
		}
	}
	// A clock that was set back must not stop it for good.
	ago(-1000 * time.Hour)
	p.Due()
	if text, err := d.Read("thing", 100); err != nil || string(text) > fmt.Sprint(time.Now().Unix()+10) {
		t.Errorf("%s, %v", text, err)
	}
	ago(2 * time.Hour)
	p.Done()
	if p.Due() {
		t.Error("it is due though it was done")
	}
	if err := d.Write("thing", []byte("damaged")); err != nil {
		t.Fatal(err)
	}
	if p.Due() {
		t.Error("a damaged note is due")
	}
	var none Dir
	if none.Pace("thing", 0).Due() {
		t.Error("without a directory it is due")
	}
}
