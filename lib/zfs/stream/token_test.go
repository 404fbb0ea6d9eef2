package stream

import (
	"encoding/hex"
	"reflect"
	"strings"
	"testing"
)

// Tokens that OpenZFS 2.3.2 made.
const (
	plainToken = "1-8bef06aa9-b0-789c636064000310a500c4ec50360710e72765a52697303030419460caa7a515a7968064cae0f26c48f2499525a9c520f1e00aacfa4bf2d34b33531818fc36fe5cd67b64d32964794eb07c5e626e2a0343a27e858321d40d009d0a156f"
	rawToken   = "1-ce35c03bc-e8-789c636064000310a500c4ec50360710e72765a52697303030419460caa7a515a7968064ace0f26c48f2499525a9c5403ac6c406abfe92fcf4d2cc140686d3317d92ed3f226b90e539c1f27989b9a90c0c89faa90e8650fddc0c08f726e7e71614a51617e76743c424a0f6c3e48b12cb61520c0064501a6d"
)

func TestDecodeToken(t *testing.T) {
	got, err := DecodeToken(plainToken)
	want := Token{ToName: "a/x@1", ToGUID: 14605952654186754382, Object: 2, Offset: 0x760000, Bytes: 0x785320}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v, not %+v", got, err, want)
	}
	got, err = DecodeToken(rawToken)
	want = Token{ToName: "a/e@1", ToGUID: 0x7c59f887198e5ccb, Object: 2, Offset: 0x3a0000, Bytes: 0x3c345c, Raw: true, Compressed: true}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v, not %+v", got, err, want)
	}
}

func TestBadTokens(t *testing.T) {
	for _, text := range []string{
		"", "-", "1", "1-2-3", "1-2-3-4-5", "2" + plainToken[1:], "1-8bef06aa8" + plainToken[11:],
		"1-8bef06aa9-b1" + plainToken[14:], "1-8bef06aa9-af" + plainToken[14:], plainToken + "00", plainToken[:len(plainToken)-2],
		plainToken + "zz", "1-0-0-", "1-ffffffffffffffffff-b0-00", "1-0-ffffffff-789c",
		strings.Repeat("1-", 20000), "1-1-1-" + strings.Repeat("0", 1<<20),
		// Eight MiB of zeros, compressed: longer than it says and than allowed.
		"1-0-800000-" + hex.EncodeToString([]byte("\x78\x9c")),
	} {
		if got, err := DecodeToken(text); err == nil {
			t.Errorf("%.40q: %+v", text, got)
		}
	}
}

func FuzzDecodeToken(f *testing.F) {
	f.Add(plainToken)
	f.Add(rawToken)
	f.Fuzz(func(t *testing.T, text string) {
		if got, err := DecodeToken(text); err == nil && (got.ToGUID == 0 || got.ToName == "") {
			t.Errorf("%+v", got)
		}
	})
}

func FuzzDecodeNvlist(f *testing.F) {
	for _, text := range []string{plainToken, rawToken} {
		packed, err := unpackToken(text)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(packed)
	}
	f.Fuzz(func(t *testing.T, packed []byte) {
		decodeNvlist(packed)
	})
}
