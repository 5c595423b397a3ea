package format_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bitbucket.org/fearless/pipes/pipes/lint-gate/format"
	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/finding"
)

// told writes findings in one line each: severity, tool, rule, place, text.
func told(findings []finding.Finding) string {
	var b strings.Builder
	for _, f := range findings {
		end := ""
		if f.EndLine > f.Line {
			end = fmt.Sprintf("-%d", f.EndLine)
		}
		fmt.Fprintf(&b, "%s %s/%s %s%s %s", f.Severity, f.Tool, f.Rule, f.Place(), end, f.Message)
		if f.Detail != "" {
			fmt.Fprintf(&b, " | %s", strings.ReplaceAll(f.Detail, "\n", " | "))
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// read reads text as the report of a tool that ran at the top of /clone.
func read(t *testing.T, name, text string) (format.Report, error) {
	t.Helper()
	f, err := format.Find(name)
	if err != nil {
		t.Fatal(err)
	}
	return f.Read(strings.NewReader(text), format.Options{Name: "out/report", Tool: "tool", Root: "/clone"})
}

func TestFormats(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ format, in, want string }{
		"golangci": {"golangci", `{"Issues":[
{"FromLinter":"errcheck","Text":"Error return value is not checked","Severity":"","SourceLines":["\tos.Remove(x)"],"Pos":{"Filename":"/clone/m/a.go","Line":6,"Column":11}},
{"FromLinter":"staticcheck","Text":"SA5009: wrong verb","Severity":"warning","SourceLines":null,"Pos":{"Filename":"a.go","Line":7,"Column":2},"LineRange":{"From":7,"To":9}},
{"FromLinter":"unused","Text":"func: f is unused","Severity":"","Pos":{"Filename":"a.go","Line":8,"Column":6}}],"Report":{}}`,
			"error golangci-lint/errcheck m/a.go:6:11 Error return value is not checked\n" +
				"warning golangci-lint/staticcheck/SA5009 a.go:7:2-9 wrong verb\n" +
				"error golangci-lint/unused a.go:8:6 func: f is unused\n"},
		"golangci without issues": {"golangci", `{"Issues":[],"Report":{}}`, ""},
		"checkstyle": {"checkstyle", `<?xml version="1.0" encoding="ISO-8859-1"?>
<checkstyle version="5.0"><file name="/clone/src/A.java"><error line="3" column="7" severity="warning" message="&lt;b&gt; too wide" source="LineLength"/>
<error line="4" severity="ignore" message="never mind"/><error severity="error" message="no newline" source="Eof"/></file></checkstyle>`,
			"warning tool/LineLength src/A.java:3:7 <b> too wide\nerror tool/Eof src/A.java no newline\n"},
		"code-climate": {"code-climate", `[{"description":"too long","check_name":"method-lines","severity":"minor","location":{"path":"a.rb","lines":{"begin":3,"end":9}}},
{"description":"eval","check_name":"security","severity":"blocker","location":{"path":"./b.rb","positions":{"begin":{"line":4,"column":2},"end":{"line":4,"column":9}}}}]`,
			"warning tool/method-lines a.rb:3-9 too long\nerror tool/security b.rb:4:2 eval\n"},
		"rdjson": {"rdjson", `{"source":{"name":"vale"},"severity":"WARNING","diagnostics":[
{"message":"passive","location":{"path":"a.md","range":{"start":{"line":3,"column":5}}},"code":{"value":"Passive","url":"https://e/p"}},
{"message":"worse","location":{"path":"a.md"},"severity":"ERROR","source":{"name":"other"},"code":{"value":7}}]}`,
			"warning vale/Passive a.md:3:5 passive\nerror other/7 a.md worse\n"},
		"rdjsonl": {"rdjsonl", `{"message":"one","location":{"path":"a.md","range":{"start":{"line":3},"end":{"line":4}}},"severity":3}` + "\r\n\n" +
			`{"message":"two\nlines","location":{"path":"b.md"},"severity":"INFO"}`,
			"info tool/ a.md:3-4 one\ninfo tool/ b.md two | lines\n"},
		"eslint": {"eslint", "\n> web@1.0.0 lint\n> eslint -f json .\n\n" + `[{"filePath":"/clone/a.js","messages":[{"ruleId":"no-unused-vars","severity":2,"message":"'a' is never used.","line":1,"column":7,"endLine":1},
{"ruleId":"eqeqeq","severity":1,"message":"Expected ===","line":2,"column":3},{"ruleId":null,"fatal":true,"severity":2,"message":"Parsing error: x","line":3,"column":1},
{"ruleId":null,"severity":1,"message":"File ignored because of a matching ignore pattern."}],"suppressedMessages":[{}]}]` + "\n1 problem\n",
			"error eslint/no-unused-vars a.js:1:7 'a' is never used.\nwarning eslint/eqeqeq a.js:2:3 Expected ===\nerror eslint/syntax a.js:3:1 Parsing error: x\n"},
		"stylelint": {"stylelint", `[{"source":"/clone/a.css","invalidOptionWarnings":[],"parseErrors":[],"warnings":[{"line":1,"column":5,"rule":"property-no-unknown","severity":"warning","text":"Unknown \"foo\" (property-no-unknown)"}]}]`,
			"warning stylelint/property-no-unknown a.css:1:5 Unknown \"foo\"\n"},
		"ruff": {"ruff", `[{"code":"F401","filename":"/clone/a.py","message":"os unused","location":{"row":1,"column":8},"end_location":{"row":1,"column":10},"url":"https://e"},
{"code":null,"filename":"b.py","message":"SyntaxError: x","location":{"row":2,"column":1},"end_location":{"row":4,"column":1}}]`,
			"error ruff/F401 a.py:1:8 os unused\nerror ruff/invalid-syntax b.py:2:1-4 SyntaxError: x\n"},
		"mypy": {"mypy", `{"file":"a.py","line":6,"column":11,"message":"bad return","hint":null,"code":"return-value","severity":"error"}
{"file":"a.py","line":6,"column":11,"message":"because of x","hint":null,"code":null,"severity":"note"}
{"file":"b.py","line":1,"column":0,"message":"Revealed type is int","hint":null,"code":null,"severity":"note"}
Found 1 error in 1 file
`,
			"error mypy/return-value a.py:6:12 bad return | because of x\ninfo mypy/ b.py:1:1 Revealed type is int\n"},
		"pylint json2": {"pylint", `{"messages":[{"type":"warning","symbol":"unused-import","message":"Unused os","messageId":"W0611","line":1,"column":0,"endLine":null,"path":"a.py"}],"statistics":{}}`,
			"warning pylint/unused-import a.py:1:1 Unused os\n"},
		"pylint json": {"pylint", `[{"type":"convention","symbol":"","message-id":"C0114","message":"no docstring","line":1,"column":3,"path":"a.py"}]`,
			"info pylint/C0114 a.py:1:4 no docstring\n"},
		"flake8": {"flake8", "./pkg/a b.py:1:1: F401 'os' imported but unused\npkg/a.py:9:6: ABC123 x: y\n1     F401 'os' imported but unused\n2\n",
			"error flake8/F401 pkg/a b.py:1:1 'os' imported but unused\nerror flake8/ABC123 pkg/a.py:9:6 x: y\n"},
		"shellcheck json1": {"shellcheck", `{"comments":[{"file":"a.sh","line":2,"endLine":3,"column":6,"level":"style","code":2086,"message":"Quote"}]}`,
			"info shellcheck/SC2086 a.sh:2:6-3 Quote\n"},
		"shellcheck json": {"shellcheck", `[{"file":"a.sh","line":2,"endLine":2,"column":6,"level":"warning","code":1,"message":"Quote"}]`,
			"warning shellcheck/SC1 a.sh:2:6 Quote\n"},
		"yamllint": {"yamllint", "./a.yaml:2:1: [error] duplication of key \"a\" (key-duplicates)\na.yaml:1:1: [warning] no start\n",
			"error yamllint/key-duplicates a.yaml:2:1 duplication of key \"a\"\nwarning yamllint/ a.yaml:1:1 no start\n"},
		"hadolint": {"hadolint", `[{"code":"DL3006","column":1,"file":"Dockerfile","level":"warning","line":1,"message":"Tag"}]`, "warning hadolint/DL3006 Dockerfile:1:1 Tag\n"},
		"cfn-lint": {"cfn-lint", `[{"Filename":"t.yaml","Level":"Warning","Location":{"Start":{"ColumnNumber":7,"LineNumber":6},"End":{"ColumnNumber":9,"LineNumber":8}},"Message":"m","Rule":{"Id":"W3002","Source":"https://e"}}]`,
			"warning cfn-lint/W3002 t.yaml:6:7-8 m\n"},
		"squawk counts from 0": {"squawk", `[{"file":"m/1.sql","line":0,"column":0,"level":"Warning","message":"locks","help":"do it so","rule_name":"adding-field","line_end":2}]`,
			"warning squawk/adding-field m/1.sql:1:1-3 locks | do it so\n"},
		"tsc": {"tsc", "a.ts(1,7): error TS2322: Type 'string'.\n  Types of x.\nsrc/b (1).tsx(3,1): error TS1: y\nerror TS18003: No inputs\n",
			"error tsc/TS2322 a.ts:1:7 Type 'string'. | Types of x.\nerror tsc/TS1 src/b (1).tsx:3:1 y\nerror tsc/TS18003  No inputs\n"},
		"diff": {"diff", "--- pkg/a.py\t2026-11-23 09:01:42+00:00\n+++ pkg/a.py\t2026-11-23 09:01:45+00:00\n@@ -4,5 +4,6 @@\n def f():\n-  x=1\n+    x = 1\n+\n     y\n \n-z=1\n+z = 1\n" +
			"--- /dev/null\n+++ b.py\n@@ -0,0 +1 @@\n+x\n\\ No newline at end of file\n--- c.py\n+++ c.py\n@@ -3 +2,0 @@\n--- \n",
			"error tool/format pkg/a.py:5 Not formatted as it should be | should be: |     x = 1\n" +
				"error tool/format pkg/a.py:8 Not formatted as it should be | should be: | z = 1\n" +
				"error tool/format b.py:1 Not formatted as it should be | should be: | x\n" +
				"error tool/format c.py:3 Not formatted as it should be\n"},
		"errorformat by name": {"errorformat:golint", "a.go:3:1: exported func X should have comment\nnoise\n", "error tool/ a.go:3:1 exported func X should have comment\n"},
		"errorformat by pattern": {`errorformat:%trror|%f|%l|%m\n%tarning|%f|%l|%m`, "error|a.x|3|bad\nfine\nwarning|b.x|4|odd [rule-a]\n",
			"error tool/ a.x:3 bad\nwarning tool/rule-a b.x:4 odd\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			report, err := read(t, c.format, c.in)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, told(report.Findings)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if report.Outside != 0 || report.Broken != "" {
				t.Errorf("outside %d, broken %q", report.Outside, report.Broken)
			}
		})
	}
}

func TestSARIF(t *testing.T) {
	t.Parallel()
	report, err := read(t, "sarif", `{"version":"2.1.0","runs":[{
"tool":{"driver":{"name":"scan","rules":[{"id":"R1","helpUri":"https://e/R1","defaultConfiguration":{"level":"error"},"messageStrings":{"m":{"text":"no {0} in {1}"}}},{"id":"R2"}]}},
"originalUriBaseIds":{"SRC":{"uri":"src/","uriBaseId":"TOP"},"TOP":{"uri":"file:///clone/"}},
"artifacts":[{"location":{"uri":"by/index.c"}}],
"results":[
{"ruleId":"R1","ruleIndex":0,"message":{"id":"m","arguments":["tabs","code"]},"locations":[{"physicalLocation":{"artifactLocation":{"uri":"file:///clone/a%20b.c"},"region":{"startLine":3,"startColumn":2,"endLine":4}}}]},
{"ruleIndex":1,"message":{"text":"plain"},"level":"note","locations":[{"physicalLocation":{"artifactLocation":{"uri":"x/y.c","uriBaseId":"SRC"}}}]},
{"ruleId":"R2","message":{"text":"default level"},"locations":[{"physicalLocation":{"artifactLocation":{"index":0}}}]},
{"ruleId":"R1","message":{"text":"nowhere"},"locations":[]},
{"ruleId":"R1","message":{"text":"bare"},"locations":[{"physicalLocation":{"artifactLocation":{"uri":"/clone/bare.c"},"region":{"startLine":1}}}]},
{"ruleId":"R1","message":{"text":"elsewhere"},"locations":[{"physicalLocation":{"artifactLocation":{"uri":"file:///usr/include/a.h"}}}]},
{"ruleId":"R1","message":{"text":"climbs"},"locations":[{"physicalLocation":{"artifactLocation":{"uri":"../a.h"}}}]},
{"ruleId":"R1","message":{"text":"on a drive"},"locations":[{"physicalLocation":{"artifactLocation":{"uri":"file:///C:/work/a.h"}}}]},
{"ruleId":"R1","message":{"text":"accepted"},"suppressions":[{"kind":"inSource"}]},
{"ruleId":"R1","message":{"text":"not accepted"},"suppressions":[{"kind":"external","status":"rejected"}]},
{"ruleId":"R1","kind":"pass","message":{"text":"fine"}},
{"ruleId":"R1","baselineState":"absent","message":{"text":"gone"}}
]}]}`)
	if err != nil {
		t.Fatal(err)
	}
	want := "error scan/R1 a b.c:3:2-4 no tabs in code\n" +
		"info scan/R2 src/x/y.c plain\n" +
		"warning scan/R2 by/index.c default level\n" +
		"error scan/R1  nowhere\n" +
		"error scan/R1 bare.c:1 bare\n" +
		"error scan/R1  not accepted\n"
	if diff := cmp.Diff(want, told(report.Findings)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if report.Outside != 3 || report.Suppressed != 1 || report.Findings[0].URL != "https://e/R1" {
		t.Errorf("outside %d, suppressed %d, URL %s", report.Outside, report.Suppressed, report.Findings[0].URL)
	}

	report, err = read(t, "sarif", `{"runs":[{"tool":{"driver":{"name":"scan"}},"invocations":[{"executionSuccessful":false,"toolExecutionNotifications":[{"level":"error","message":{"text":"out of disk"}}]}],"results":[]}]}`)
	if err != nil || report.Broken != "out of disk" {
		t.Errorf("broken %q, error %v", report.Broken, err)
	}
}

// A report that is not what it should be must never look like one without findings.
func TestBadReports(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ format, in, want string }{
		"empty":                {"sarif", " \n", "out/report is empty"},
		"no JSON":              {"golangci", "go: command not found\n", `out/report:1:1: not a report as its format has it: there is no JSON in it; it starts with "go: command not found"`},
		"broken off":           {"sarif", `{"runs":[{"results":[`, "out/report:1:22: not a report as its format has it: it breaks off"},
		"wrong comma":          {"eslint", "[\n{\"filePath\": \"a\",}\n]", "out/report:2:18: not a report"},
		"other JSON":           {"golangci", `{}`, `"Issues" is missing`},
		"another format":       {"code-climate", `{"runs":[]}`, "out/report:1:"},
		"rdjson of nothing":    {"rdjson", `{"runs":[]}`, `"diagnostics" is missing`},
		"sarif of nothing":     {"sarif", `{"Issues":[]}`, `"runs" is missing`},
		"eslint of others":     {"eslint", `[{"file":"a"}]`, `entry 1 has no "filePath"`},
		"code-climate without": {"code-climate", `[{"description":"x"}]`, `entry 1 has no "location"`},
		"rdjsonl":              {"rdjsonl", "{\"message\":\"a\",\"location\":{\"path\":\"a\"}}\nnot json\n", "out/report:2:2: not a report"},
		"XML broken off":       {"checkstyle", "<checkstyle>\n<file name='a'>\n", "out/report:3:1: not a report as its format has it: unexpected EOF"},
		"other XML":            {"checkstyle", "<html></html>", "expected element type <checkstyle> but have <html>"},
		"flake8 prose":         {"flake8", "a.py:1:1: F401 x\nTraceback\n", `out/report:2:1: not a report as its format has it: "Traceback"`},
		"diff of nothing":      {"diff", "@@ -1 +1 @@\n-a\n+b\n", "without the name of a file"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			report, err := read(t, c.format, c.in)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("error %v, want %q; findings: %s", err, c.want, told(report.Findings))
			}
			if exit.CodeOf(err) != exit.Invalid || len(exit.HintsOf(err)) == 0 {
				t.Errorf("code %v, hints %q", exit.CodeOf(err), exit.HintsOf(err))
			}
		})
	}
}

func TestStrangeBytes(t *testing.T) {
	t.Parallel()
	utf16 := "\xff\xfe"
	for _, r := range `[{"code":"DL1","file":"ä","level":"error","line":1,"message":"m"}]` {
		utf16 += string([]byte{byte(r), byte(r >> 8)})
	}
	for name, c := range map[string]struct{ format, in, want string }{
		"byte order mark":    {"hadolint", "\xef\xbb\xbf[]", ""},
		"UTF-16":             {"hadolint", utf16, "error hadolint/DL1 ä:1 m\n"},
		"latin-1 in JSON":    {"hadolint", "[{\"code\":\"DL1\",\"file\":\"a\",\"level\":\"error\",\"line\":1,\"message\":\"caf\xe9\"}]", "error hadolint/DL1 a:1 caf\uFFFD\n"},
		"latin-1 in XML":     {"checkstyle", "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><checkstyle><file name=\"a\"><error line=\"1\" message=\"caf\xe9\"/></file></checkstyle>", "error tool/ a:1 caf\uFFFD\n"},
		"latin-1 in lines":   {"flake8", "caf\xe9.py:1:1: E1 x\n", "error flake8/E1 caf\uFFFD.py:1:1 x\n"},
		"very long line":     {"errorformat:%f:%l: %m", strings.Repeat("x", 200_000) + "\na.go:1: found\n", "error tool/ a.go:1 found\n"},
		"line as text":       {"code-climate", `[{"description":"d","location":{"path":"a","lines":{"begin":"7"}}}]`, "error tool/ a:7 d\n"},
		"line below 1":       {"code-climate", `[{"description":"d","location":{"path":"a","lines":{"begin":-3}}}]`, "error tool/ a d\n"},
		"path from Windows":  {"flake8", `src\app\a.py:1:1: E1 x`, "error flake8/E1 src/app/a.py:1:1 x\n"},
		"name that is local": {"flake8", "./src/../b.py:1:1: E1 x", "error flake8/E1 b.py:1:1 x\n"},
	} {
		report, err := read(t, c.format, c.in)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(c.want, told(report.Findings)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// endless is a report that never ends, so that a test for the limit needs no file of its size.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

func TestTooLarge(t *testing.T) {
	t.Parallel()
	f := format.Must("sarif")
	_, err := f.Read(endless{}, format.Options{Name: "big.sarif", Root: "/clone", Limit: 3 << 20})
	if err == nil || err.Error() != "big.sarif is larger than 3 MB, the most that is read" || exit.CodeOf(err) != exit.Invalid {
		t.Errorf("error %v", err)
	}
}

func TestPathsThroughLinks(t *testing.T) {
	t.Parallel()
	real := t.TempDir()
	link := filepath.Join(t.TempDir(), "clone")
	if err := os.Symlink(real, link); err != nil {
		t.Fatal(err)
	}
	for root, file := range map[string]string{link: filepath.Join(real, "gone/a.py"), real: filepath.Join(link, "gone/a.py")} {
		if err := os.MkdirAll(filepath.Join(real, "gone"), 0o700); err != nil {
			t.Fatal(err)
		}
		report, err := format.Must("flake8").Read(strings.NewReader(file+":1:1: E1 x"), format.Options{Root: root})
		if err != nil || len(report.Findings) != 1 || report.Findings[0].File != "gone/a.py" {
			t.Errorf("%s in %s: %+v, %v", file, root, report, err)
		}
	}
	report, err := format.Must("flake8").Read(strings.NewReader("a.py:1:1: E1 x"), format.Options{Root: real, Dir: filepath.Join(real, "sub")})
	if err != nil || report.Findings[0].File != "sub/a.py" {
		t.Errorf("in a folder: %+v, %v", report, err)
	}
}

func TestFind(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"sarf":              `"sarf" is no format that can be read, did you mean sarif?`,
		"nothing":           `"nothing" is no format that can be read`,
		"errorformat:golnt": `errorformat:golnt: there is no ready pattern "golnt", did you mean golint?`,
		"errorformat:%":     "errorformat:%: not a pattern",
	} {
		_, err := format.Find(name)
		if err == nil || !strings.HasPrefix(err.Error(), want) || exit.CodeOf(err) != exit.Invalid {
			t.Errorf("%s: error %v, want %s", name, err, want)
		}
	}
}

func TestParseReport(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("e.sarif", `{"runs":[]}`)
	write("broken.sarif", `{"runs":[{"invocations":[{"executionSuccessful":false}]}]}`)
	write("lint.txt", "a.go:3:1: text\n")
	write("empty.txt", "")
	if err := os.Mkdir(filepath.Join(dir, "folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	for entry, c := range map[string]struct {
		want string
		code exit.Code
	}{
		"sarif:e.sarif":                     {"", exit.Passed},
		"errorformat:%f:%l:%c: %m:lint.txt": {"error lint/ a.go:3:1 text\n", exit.Passed},
		"errorformat:golint:lint.txt":       {"error golint/ a.go:3:1 text\n", exit.Passed},
		"errorformat:golint:empty.txt":      {"", exit.Passed},
		"sarif:gone.sarif":                  {"the report gone.sarif is not there", exit.Invalid},
		"sarif:empty.txt":                   {"empty.txt is empty", exit.Invalid},
		"sarif:folder":                      {"the report folder is not a file", exit.Invalid},
		"sarif:broken.sarif":                {"the tool that wrote broken.sarif could not do its work: the tool reports that it did not succeed", exit.Unable},
		"sarrif:e.sarif":                    {`REPORTS: "sarrif" is no format that can be read, did you mean sarif?`, exit.Invalid},
		"e.sarif":                           {`REPORTS: "e.sarif" is not as expected`, exit.Invalid},
		"sarif:":                            {`REPORTS: "sarif:" is not as expected`, exit.Invalid},
		"errorformat:lint.txt":              {`REPORTS: "errorformat:lint.txt" is not as expected`, exit.Invalid},
	} {
		source, err := format.ParseReport(entry)
		var report format.Report
		if err == nil {
			if source.String() != entry {
				t.Errorf("%s became %s", entry, source)
			}
			report, err = source.Read(dir)
		}
		if exit.CodeOf(err) != c.code {
			t.Errorf("%s: code %v of %v", entry, exit.CodeOf(err), err)
		}
		if err != nil && !strings.HasPrefix(err.Error(), c.want) || err == nil && told(report.Findings) != c.want {
			t.Errorf("%s: %v, %s; want %s", entry, err, told(report.Findings), c.want)
		}
	}
}

// Whatever bytes come in, reading ends, and what comes out has a place in the clone.
func FuzzRead(f *testing.F) {
	f.Add("sarif", `{"runs":[{"results":[{"message":{"id":"{0}"},"locations":[{"physicalLocation":{"artifactLocation":{"uri":"a","uriBaseId":"X"}}}]}]}]}`)
	f.Add("diff", "--- a\n+++ b\n@@ -1,2 +1 @@\n-x\n y\n")
	f.Add("checkstyle", "<checkstyle><file name=''><error line='99999999999999999999'/></file></checkstyle>")
	f.Add("errorformat:mypy", "a.py:1: error: x\n")
	f.Add("tsc", "  x\na(1,1): error TS1: x\n  y\n")
	f.Fuzz(func(t *testing.T, name, text string) {
		form, err := format.Find(name)
		if err != nil {
			return
		}
		report, err := form.Read(strings.NewReader(text), format.Options{Name: "report", Root: "/clone", Limit: 1 << 20})
		if err != nil {
			return
		}
		for _, found := range report.Findings {
			if strings.HasPrefix(found.File, "/") || strings.HasPrefix(found.File, "../") || found.Line < 0 || found.Column < 0 || strings.Contains(found.Message, "\n") {
				t.Fatalf("%+v", found)
			}
		}
	})
}
