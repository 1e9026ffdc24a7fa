package qscope

import (
	"bytes"
	"encoding/json"
	"errors"
	"regexp"
	"unicode/utf8"
)

// mostLevels is how deep JSON may be nested: a token of QScope has a few levels.
const mostLevels = 64

// surrogate is half a character, of which parsers make different ones. QScope
// escapes no whole one. A backslash may be escaped itself.
var surrogate = regexp.MustCompile(`[^\\](?:\\\\)*\\u[dD][89a-fA-F]`)

// readObject reads an object of JSON (RFC 8259) whose members have names of
// their own, in objects inside it too (RFC 7515 §4, RFC 7519 §4): two parsers
// that take different ones of two members would see different tokens.
func readObject(text []byte) (map[string]any, error) {
	if !utf8.Valid(text) || !json.Valid(text) || surrogate.Match(text) {
		return nil, errors.New("not JSON in UTF-8")
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	value, err := readValue(decoder, 1)
	if err != nil {
		return nil, err
	}
	object, ok := value.(map[string]any)
	if !ok {
		return nil, errors.New("not an object")
	}
	return object, nil
}

func readValue(decoder *json.Decoder, level int) (any, error) {
	token, err := decoder.Token()
	if err != nil {
		return nil, err
	}
	opening, isOpening := token.(json.Delim)
	if !isOpening {
		return token, nil
	}
	if level > mostLevels {
		return nil, errors.New("nested too deep")
	}
	if opening == '[' {
		list := []any{}
		for decoder.More() {
			item, err := readValue(decoder, level+1)
			if err != nil {
				return nil, err
			}
			list = append(list, item)
		}
		_, err := decoder.Token()
		return list, err
	}
	object := map[string]any{}
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return nil, err
		}
		text, ok := name.(string)
		if _, isThere := object[text]; !ok || isThere {
			return nil, errors.New("a member is there twice")
		}
		if object[text], err = readValue(decoder, level+1); err != nil {
			return nil, err
		}
	}
	_, err = decoder.Token()
	return object, err
}
