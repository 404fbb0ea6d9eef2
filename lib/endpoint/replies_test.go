package endpoint

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/zrepl-tools/zrepl-tools/lib/clean"
	"github.com/zrepl-tools/zrepl-tools/lib/property"
	"github.com/zrepl-tools/zrepl-tools/lib/rpc"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
)

// filler fills values: each text is "a", each number 64, and the text number
// hostileAt is hostile.
type filler struct {
	hostile   string
	hostileAt int
	texts     int
}

func (f *filler) text() string {
	f.texts++
	if f.texts-1 == f.hostileAt {
		return f.hostile
	}
	return "a"
}

func (f *filler) fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(f.text())
	case reflect.Int, reflect.Int32, reflect.Int64:
		v.SetInt(64)
	case reflect.Uint8, reflect.Uint64:
		v.SetUint(64)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		f.fill(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		f.fill(v.Index(0))
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		f.fill(key)
		f.fill(value)
		v.SetMapIndex(key, value)
	case reflect.Struct:
		for i := range v.NumField() {
			f.fill(v.Field(i))
		}
	default:
		panic(fmt.Sprintf("a reply holds a %v: teach this test to fill it", v.Type()))
	}
}

// looseTexts finds texts in a value that are too long, or not safe to print.
func looseTexts(at string, v reflect.Value) (bad []string) {
	switch v.Kind() {
	case reflect.String:
		s := v.String()
		plain := clean.Plain(s)
		if strings.HasSuffix(at, ".Told.Set[]") { // a value may hold what is not printed
			plain = property.CheckValue(s) == nil
		}
		if !plain || len(s) > maxTokenText {
			bad = append(bad, fmt.Sprintf("%s: %d bytes %.20q", at, len(s), s))
		}
	case reflect.Pointer:
		if !v.IsNil() {
			bad = looseTexts(at, v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			bad = append(bad, looseTexts(at+"[]", v.Index(i))...)
		}
	case reflect.Map:
		for m := v.MapRange(); m.Next(); {
			bad = append(bad, looseTexts(at+" key", m.Key())...)
			bad = append(bad, looseTexts(at+"[]", m.Value())...)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			bad = append(bad, looseTexts(at+"."+v.Type().Field(i).Name, v.Field(i))...)
		}
	}
	return bad
}

// answering handles one call with a value, whatever is asked.
func answering(server *rpc.Server, call string, value reflect.Value) {
	text, _ := json.Marshal(value.Interface())
	switch call {
	case "list", "copies":
		text, _ = json.Marshal(value.Index(0).Interface())
		server.Handle(call, lines(string(text)))
	case "send", "restore":
		server.Handle(call, func(context.Context, json.RawMessage) (json.RawMessage, rpc.Sender, error) {
			return text, func(context.Context, *os.File) error { return nil }, nil
		})
	case "receive":
		server.Handle(call, func(_ context.Context, _ json.RawMessage, o *rpc.Octets) (json.RawMessage, error) {
			io.Copy(io.Discard, o.File())
			return text, nil
		})
	default:
		server.Handle(call, replies(string(text)))
	}
}

// TestHostileReplies: no text of any reply of a far side gets in without a
// limit on its length, or with what must not be printed.
func TestHostileReplies(t *testing.T) {
	hostile := []string{"\x1b[2J", "a\u202e", strings.Repeat("x", 1<<17)}
	for _, one := range []struct {
		role string
		end  func(*Pool) any
	}{
		{SourceRole, func(p *Pool) any { return RemoteSender{p} }},
		{SinkRole, func(p *Pool) any {
			return RemoteReceiver{Pool: p, SendFrame: []string{"sh", "-c", "echo x", "x"}}
		}},
		{SinkRole, func(p *Pool) any { return RemoteBack{p} }},
	} {
		role, end := one.role, one.end
		methods := reflect.TypeOf(end(nil))
		for m := range methods.NumMethod() {
			name := methods.Method(m).Name
			if name == "Close" {
				continue
			}
			for _, text := range hostile {
				hostileReply(t, role, end, name, text)
			}
		}
	}
}

// streams reports whether a method answers with a stream.
func streams(name string) bool { return name == "Send" || name == "Restore" }

// hostileReply makes each text of one method's reply hostile, one at a time.
func hostileReply(t *testing.T, role string, end func(*Pool) any, name, hostile string) {
	for at, more := 0, true; more; at++ {
		server := &rpc.Server{}
		pool := servingAs(t, server, role)
		if name == "Receive" { // not over a connection: the handler reads to the end
			pool.Dial = func(context.Context) (*Link, error) {
				return &Link{Client: rpc.Local(server), Explain: func(err error) error { return err }}, nil
			}
		}
		method := reflect.ValueOf(end(pool)).MethodByName(name)
		f := filler{hostile: hostile, hostileAt: at}
		if method.Type().NumOut() > 1 {
			result := method.Type().Out(0)
			if streams(name) {
				result = reflect.TypeFor[transfer.SendReply]()
			}
			value := reflect.New(result).Elem()
			f.fill(value)
			answering(server, strings.ToLower(name), value)
		}
		more = at+1 < f.texts
		request := reflect.New(method.Type().In(1)).Elem()
		(&filler{hostileAt: -1}).fill(request)
		args := []reflect.Value{reflect.ValueOf(t.Context()), request}
		if name == "Receive" {
			args = append(args, reflect.ValueOf(&transfer.Stream{Args: []string{"true"}}), reflect.Zero(method.Type().In(3)))
		}
		out := method.Call(args)
		if streams(name) {
			if stream := out[0].Interface().(*transfer.Stream); stream != nil {
				stream.Close()
				out[0] = reflect.ValueOf(stream.SendReply)
			} else {
				out[0] = reflect.ValueOf(transfer.SendReply{})
			}
		}
		for _, bad := range looseTexts(name, out[0]) {
			t.Errorf("%s: %s", role, bad)
		}
		if err, _ := out[len(out)-1].Interface().(error); err != nil && (!clean.Plain(err.Error()) || len(err.Error()) > maxTokenText) {
			t.Errorf("%s: error of %s: %.60q", role, name, err.Error())
		}
	}
}
