package rpc

import (
	"fmt"
	"reflect"
)

// price is what decoding JSON into a type takes at most, in bytes, besides the
// text itself: text of three bytes can make a value of hundreds.
type price struct {
	element int // of a value in an array
	key     int // of a key in an object
	object  int // of an object, for a map's first room
}

// priceOf looks at all that a type can hold, wherever it stands: the dearest
// slice, map and pointer in it are the price.
func priceOf(t reflect.Type) price {
	var p price
	p.add(t, false, map[reflect.Type]bool{})
	return p
}

func (p *price) add(t reflect.Type, inside bool, seen map[reflect.Type]bool) {
	if t == nil || seen[t] {
		return
	}
	seen[t] = true
	switch t.Kind() {
	case reflect.Pointer:
		p.element = max(p.element, int(t.Elem().Size()))
		p.key = max(p.key, int(t.Elem().Size()))
		p.add(t.Elem(), inside, seen)
	case reflect.Slice:
		p.element = max(p.element, int(t.Elem().Size()))
		p.add(t.Elem(), true, seen)
	case reflect.Array:
		p.add(t.Elem(), true, seen)
	case reflect.Map:
		p.addMap(int(t.Key().Size()+t.Elem().Size()), inside)
		p.add(t.Elem(), true, seen)
	case reflect.Struct:
		for i := range t.NumField() {
			p.add(t.Field(i).Type, inside, seen)
		}
	case reflect.Interface: // map[string]any, []any and what is boxed in them
		const boxed = 64
		p.element = max(p.element, boxed)
		p.addMap(boxed, true)
	}
}

// addMap: a map that has grown is up to half empty, and its first entry makes
// room for eight.
func (p *price) addMap(entry int, inside bool) {
	p.key = max(p.key, 2*entry+16)
	if inside {
		p.object = max(p.object, 8*entry+64)
	}
}

// scale adds up what decoding some JSON takes, before it is decoded and as it
// comes, so that a body that would take too much is not even gathered.
type scale struct {
	price
	limit int

	weight  int
	text    bool // inside a string
	escaped bool
	depth   int
	arrays  uint64 // a bit for each level: it is an array
	empty   bool   // the last bracket was an opening one
}

// maxDepth is how deep the JSON of a body may be nested.
const maxDepth = 32

func newScale(t reflect.Type, limit int) *scale { return &scale{price: priceOf(t), limit: limit} }

// add weighs the next part of the text. That it is JSON at all is not its
// business.
func (s *scale) add(data []byte) error {
	for i := 0; i < len(data); i++ {
		c := data[i]
		if s.text {
			switch {
			case s.escaped:
				s.escaped = false
			case c == '\\':
				s.escaped = true
			case c == '"':
				s.text = false
			}
			continue
		}
		if c == ' ' || c == '\t' || c == '\n' || c == '\r' {
			continue
		}
		if err := s.mark(c); err != nil {
			return err
		}
	}
	return nil
}

// mark weighs one byte outside strings that is no white space.
func (s *scale) mark(c byte) error {
	if s.empty && c != ']' && c != '}' {
		s.weight += s.each()
	}
	s.empty = false
	switch c {
	case '"':
		s.text = true
	case '[', '{':
		if s.depth == maxDepth {
			return &tooMuch{fmt.Sprintf("a body nested deeper than %d", maxDepth)}
		}
		s.arrays <<= 1
		if s.depth++; c == '[' {
			s.arrays |= 1
		} else {
			s.weight += s.object
		}
		s.empty = true
	case ']', '}':
		s.depth, s.arrays = s.depth-1, s.arrays>>1
	case ',':
		s.weight += s.each()
	}
	if s.weight > s.limit {
		return &tooMuch{fmt.Sprintf("a body whose values take more than %d bytes of memory", s.limit)}
	}
	return nil
}

// each is the price of one more value at this level.
func (s *scale) each() int {
	if s.arrays&1 != 0 {
		return s.element
	}
	return s.key
}

// tooMuch says which limit a body has passed.
type tooMuch struct{ what string }

func (e *tooMuch) Error() string { return e.what }

func tooLong(what string, most int, unit string) error {
	return &tooMuch{fmt.Sprintf("%s longer than is allowed: %d %s", what, most, unit)}
}
