// PostgreSQL's own parser, translated to WebAssembly, holds our splitting of SQL to account. This is a module of its
// own, so that no pipe carries it.
module bitbucket.org/fearless/pipes/tools/grammar

go 1.26.4

require (
	bitbucket.org/fearless/pipes v0.0.0
	github.com/wasilibs/go-pgquery v0.0.0-20260728010200-155ebad2880e
)

require (
	github.com/pganalyze/pg_query_go/v6 v6.2.2 // indirect
	github.com/tetratelabs/wazero v1.12.0 // indirect
	github.com/wasilibs/wazero-helpers v0.0.0-20250123031827-cd30c44769bb // indirect
	golang.org/x/sys v0.49.0 // indirect
	google.golang.org/protobuf v1.36.11 // indirect
)

replace bitbucket.org/fearless/pipes => ../..
