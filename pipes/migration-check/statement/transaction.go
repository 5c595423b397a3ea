package statement

// Transaction is what a tool puts around the statements of a file.
type Transaction int

// The ways of tools. The server makes one transaction of several statements that are sent
// at once, and none of one.
const (
	AsSent   Transaction = iota // all are sent at once
	Around                      // a transaction of the tool's own, also around a single statement
	OneByOne                    // each by itself
)

// Refuses tells a statement, of a file with so many, that PostgreSQL will not run in the
// transaction that it would be in.
func (t Transaction) Refuses(s Statement, many int) bool {
	return s.OutsideTransactions() && (t == Around || t == AsSent && many > 1)
}

// Alone tells that the statements of a file, of which there are so many, do not share a
// transaction.
func (t Transaction) Alone(many int) bool { return t == OneByOne || t == AsSent && many == 1 }
