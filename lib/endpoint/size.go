package endpoint

import (
	"reflect"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
)

// maxList is how much memory, about, a far side's list may take: four million
// snapshots.
const maxList = 512 << 20

// maxDatasets is how many datasets a far side may list: each becomes a line of
// a plan and of a record.
const maxDatasets = 200_000

var (
	sizeDataset = int(reflect.TypeFor[transfer.Dataset]().Size())
	sizeVersion = int(reflect.TypeFor[dataset.Version]().Size())
)

// sizeOf is what a value of a list takes, with the room that slices grow by.
// Versions are counted by hand: there are millions of them.
func sizeOf(d *transfer.Dataset) int {
	size := sizeDataset
	for _, v := range d.Versions {
		size += sizeVersion + 8 + len(v.Name)
	}
	rest := *d
	rest.Versions = nil
	return (size + behind(reflect.ValueOf(&rest).Elem())) * 5 / 4
}

// behind is what a value holds elsewhere in memory.
func behind(v reflect.Value) (size int) {
	const each = 8 // a short string takes as much
	switch v.Kind() {
	case reflect.String:
		if v.Len() > 0 {
			size = v.Len() + each
		}
	case reflect.Pointer:
		if !v.IsNil() {
			size = int(v.Type().Elem().Size()) + behind(v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			size += int(v.Type().Elem().Size()) + each + behind(v.Index(i))
		}
	case reflect.Map:
		const first = 8 // entries that a map makes room for at once
		entry := int(v.Type().Key().Size() + v.Type().Elem().Size())
		if !v.IsNil() {
			size = 64 + first*entry
		}
		for m := v.MapRange(); m.Next(); {
			size += 2*entry + behind(m.Key()) + behind(m.Value())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			size += behind(v.Field(i))
		}
	}
	return size
}
