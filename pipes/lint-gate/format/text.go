package format

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"unicode/utf16"
	"unicode/utf8"

	"bitbucket.org/fearless/pipes/shared/exit"
)

// text makes UTF-8 of what a tool wrote: without byte order mark, from UTF-16
// (PowerShell's redirection), and with a mark for each byte that is neither.
func text(data []byte) []byte {
	switch {
	case bytes.HasPrefix(data, []byte("\xff\xfe")):
		data = wide(data[2:], 0)
	case bytes.HasPrefix(data, []byte("\xfe\xff")):
		data = wide(data[2:], 1)
	default:
		data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	}
	if utf8.Valid(data) {
		return data
	}
	return bytes.ToValidUTF8(data, []byte("\uFFFD"))
}

// wide decodes UTF-16; low is where the low byte of a pair stands.
func wide(data []byte, low int) []byte {
	units := make([]uint16, 0, len(data)/2)
	for i := 0; i+1 < len(data); i += 2 {
		units = append(units, uint16(data[i+low])|uint16(data[i+1-low])<<8)
	}
	return []byte(string(utf16.Decode(units)))
}

// json reads one value. Lines before it (of npm, for example) and after it (of
// biome) are for people.
func (in *reading) json(value any) error {
	start := jsonStart(in.data)
	if start < 0 {
		return in.bad(0, "there is no JSON in it; it starts with %q", head(in.data))
	}
	decoder := json.NewDecoder(bytes.NewReader(in.data[start:]))
	return in.jsonError(start, decoder.Decode(value))
}

// jsonError says where the JSON that starts at an offset is wrong.
func (in *reading) jsonError(start int, err error) error {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &syntax):
		return in.bad(start+int(syntax.Offset)-1, "%v", err)
	case errors.As(err, &kind):
		return in.bad(start+int(kind.Offset), "a %s stands where the format has another kind of value (%s)", kind.Value, kind.Field)
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return in.bad(len(in.data), "it breaks off: the tool was stopped while it wrote")
	}
	return in.bad(start, "%v", err)
}

// jsonStart is where a line begins with an object or a list; -1 when none does.
func jsonStart(data []byte) int {
	for at := 0; at < len(data); {
		line := data[at:]
		if end := bytes.IndexByte(line, '\n'); end >= 0 {
			line = line[:end+1]
		}
		if trimmed := bytes.TrimLeft(line, " \t\r\n"); len(trimmed) > 0 && (trimmed[0] == '{' || trimmed[0] == '[') {
			return at + len(line) - len(trimmed)
		}
		at += len(line)
	}
	return -1
}

// bad is the error for the byte at an offset of the report.
func (in *reading) bad(offset int, format string, args ...any) error {
	before := in.data[:min(max(offset, 0), len(in.data))]
	line := 1 + bytes.Count(before, []byte("\n"))
	column := len(before) - bytes.LastIndexByte(before, '\n')
	return in.badAt(line, column, format, args...)
}

// badAt is the error for a place of the report.
func (in *reading) badAt(line, column int, format string, args ...any) error {
	err := exit.Invalidf("%s:%d:%d: not a report as its format has it: "+format,
		append([]any{in.Name, line, max(column, 1)}, args...)...)
	return err.Hint("name the format that the report is written in, and keep other output out of it")
}

// head is the beginning of a text, for an error.
func head(data []byte) string {
	line, _, _ := bytes.Cut(bytes.TrimSpace(data), []byte("\n"))
	if len(line) > 60 {
		return string(bytes.ToValidUTF8(line[:60], nil)) + "…"
	}
	return string(line)
}
