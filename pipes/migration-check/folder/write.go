package folder

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Write gives a new migration the names and the form in which the tool of the folder reads
// it. Without a down it has none.
func (f *Folder) Write(title, up, down string, now time.Time) []File {
	version := f.nextVersion(now)
	name := version + "_" + title
	switch f.Format.Name {
	case Flyway.Name:
		return []File{{Name: "V" + version + "__" + title + ".sql", Text: up}}
	case Prisma.Name:
		return []File{{Name: name + "/migration.sql", Text: up}}
	case Dbmate.Name:
		return []File{{Name: name + ".sql", Text: "-- migrate:up\n" + up + "\n-- migrate:down\n" + down}}
	case Goose.Name:
		return []File{{Name: name + ".sql", Text: "-- +goose Up\n" + up + "\n-- +goose Down\n" + down}}
	case SQLx.Name:
		if last, any := f.last(); any && !strings.HasSuffix(last.Up.File, ".up.sql") {
			return []File{{Name: name + ".sql", Text: up}} // sqlx refuses a folder of both kinds
		}
	}
	files := []File{{Name: name + ".up.sql", Text: up}}
	if down != "" {
		files = append(files, File{Name: name + ".down.sql", Text: down})
	}
	return files
}

// nextVersion follows the folder's own scheme: a time, or a count with its zeros.
func (f *Folder) nextVersion(now time.Time) string {
	last, any := f.last()
	highest := last.Version
	switch {
	case !any && (f.Format.Name == Prisma.Name || f.Format.Name == SQLx.Name || f.Format.Name == Dbmate.Name),
		len(highest.String()) >= 14 && !strings.Contains(highest.String(), "."):
		return now.UTC().Format("20060102150405")
	case !any && f.Format.Name == Flyway.Name:
		return "1"
	case !any:
		return "000001"
	}
	digits := strings.TrimLeft(last.file(), "VU")
	digits = digits[:len(digits)-len(strings.TrimLeft(digits, "0123456789"))]
	first, _, _ := strings.Cut(highest.String(), ".")
	n, err := strconv.Atoi(first)
	if err != nil {
		return highest.String() + "1"
	}
	return fmt.Sprintf("%0*d", len(digits), n+1)
}
