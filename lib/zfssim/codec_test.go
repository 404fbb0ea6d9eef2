package zfssim

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
)

// What encode writes is what encoding/json would, and decode reads it as that
// does: of empty structs, of full ones, and of those with some members.
func TestCodec(t *testing.T) {
	for _, make := range []func() coded{
		func() coded { return new(pool) },
		func() coded { return new(meta) },
		func() coded { return new(partial) },
		func() coded { return new(head) },
		func() coded { return new(entry) },
	} {
		for round := range 200 {
			c := make()
			if round > 0 {
				fill(reflect.ValueOf(c).Elem(), float64(round)/100)
			}
			got, err := encode(c)
			want, _ := json.Marshal(c)
			if err != nil || string(got) != string(want) {
				t.Fatalf("%T: %s, %v\nnot %s", c, got, err, want)
			}
			back, wanted := make(), make()
			if err := decode([]byte(" "+string(want)+"\n"), back); err != nil {
				t.Fatalf("%T: %v: %s", c, err, want)
			}
			json.Unmarshal(want, wanted)
			if !reflect.DeepEqual(back, wanted) {
				t.Fatalf("%T: %+v, not %+v", c, back, wanted)
			}
		}
		for _, bad := range []string{"", "{", "[]", "7", `{"guid":}`, `{"guid":"x"}{}`, `{"path":7}`, `{"guid":-1}`, `{"mode":4294967296}`, `{"volume":"x"}`, `{"key":[]}`} {
			if err, want := decode([]byte(bad), make()), json.Unmarshal([]byte(bad), make()); (err == nil) != (want == nil) {
				t.Errorf("%T: %s: %v, not %v", make(), bad, err, want)
			}
		}
	}
}

// fill sets that part of a struct's exported members.
func fill(v reflect.Value, part float64) {
	for i := range v.NumField() {
		tag := v.Type().Field(i).Tag.Get("json")
		if f := v.Field(i); f.Kind() == reflect.Struct {
			fill(f, part)
		} else if tag != "" && tag != "-" && rand.Float64() < part {
			f.Set(anyValue(f.Type(), part))
		}
	}
}

func anyValue(t reflect.Type, part float64) reflect.Value {
	v := reflect.New(t).Elem()
	switch t.Kind() {
	case reflect.Bool:
		v.SetBool(true)
	case reflect.String:
		v.SetString([]string{"plain", `a "quoted\" one`, "tab\tü\x00", "a/b@c", "{,}:[]"}[rand.N(5)])
	case reflect.Int64:
		v.SetInt(-rand.Int64())
	case reflect.Uint64, reflect.Uint32:
		v.SetUint(rand.Uint64() >> (64 - t.Bits()))
	case reflect.Pointer:
		v.Set(reflect.New(t.Elem()))
		fill(v.Elem(), part)
	case reflect.Struct:
		fill(v, part)
	case reflect.Slice:
		for range rand.N(3) + 1 {
			v = reflect.Append(v, anyValue(t.Elem(), part))
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(t))
		for i := range rand.N(3) + 1 {
			v.SetMapIndex(reflect.ValueOf(fmt.Sprint("key: ", i)), anyValue(t.Elem(), part))
		}
	}
	return v
}
