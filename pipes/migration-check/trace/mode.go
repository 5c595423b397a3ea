package trace

// Mode of a lock, in the order of strength.
type Mode int

// PostgreSQL's modes.
const (
	AccessShare Mode = iota + 1
	RowShare
	RowExclusive
	ShareUpdateExclusive
	Share
	ShareRowExclusive
	Exclusive
	AccessExclusive
)

var modes = map[string]Mode{
	"AccessShareLock": AccessShare, "RowShareLock": RowShare, "RowExclusiveLock": RowExclusive,
	"ShareUpdateExclusiveLock": ShareUpdateExclusive, "ShareLock": Share, "ShareRowExclusiveLock": ShareRowExclusive,
	"ExclusiveLock": Exclusive, "AccessExclusiveLock": AccessExclusive,
}

// BlocksWrites tells modes that INSERT, UPDATE and DELETE wait for.
func (m Mode) BlocksWrites() bool { return m >= Share }

// BlocksReads tells the one that SELECT waits for.
func (m Mode) BlocksReads() bool { return m == AccessExclusive }

// String is the name as PostgreSQL's manual writes it.
func (m Mode) String() string {
	for name, mode := range modes {
		if mode == m {
			return name[:len(name)-len("Lock")]
		}
	}
	return "none"
}

// Blocks says what waits, for people.
func (m Mode) Blocks() string {
	switch {
	case m.BlocksReads():
		return "blocks reads and writes"
	case m.BlocksWrites():
		return "blocks writes"
	}
	return "blocks neither reads nor writes"
}
