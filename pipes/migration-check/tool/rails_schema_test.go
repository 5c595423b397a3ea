package tool

import (
	"slices"
	"testing"
)

const inClone = `# Dumped
ActiveRecord::Schema.define(version: 2026_01_01_000000) do
  create_table "orders", force: :cascade do |t|
    t.string "title", null: false
    t.text "gone"
  end

  create_table "people", force: :cascade do |t|
    t.text "note"
  end

  create_table "nobody", force: :cascade do |t|
    t.text "note"
  end
end
`

const ofMigrations = `ActiveRecord::Schema[8.0].define(version: 20260102000000) do
  create_table "orders", force: :cascade do |t|
    t.string "title", null: false
    t.text "note"
  end

  create_table "people", force: :cascade do |t|
    t.text "note"
  end

  create_table "parts", force: :cascade do |t|
    t.text "name"
  end
  add_foreign_key "parts", "orders"
end
`

// TestDumps are two dumps of Rails: the same line in two tables is two lines, and the
// version is one thing.
func TestDumps(t *testing.T) {
	t.Parallel()
	m := compareDumps(inClone, ofMigrations)
	want := []string{
		`No migration makes, in orders: t.text "gone"`,
		`No migration makes: create_table "nobody", force: :cascade do |t|`,
		`db/schema.rb lacks, in orders: t.text "note"`,
		`db/schema.rb lacks: create_table "parts", force: :cascade do |t|`,
		`db/schema.rb lacks: add_foreign_key "parts", "orders"`,
		`db/schema.rb is of version 2026_01_01_000000, and the migrations lead to 20260102000000`,
	}
	if !slices.Equal(m.Lines, want) {
		t.Errorf("%q", m.Lines)
	}
	at := []Spot{{schemaFile, 5}, {schemaFile, 12}, {schemaFile, 3}, {schemaFile, 0}, {schemaFile, 0}, {schemaFile, 2}}
	if !slices.Equal(m.At, at) {
		t.Errorf("%v", m.At)
	}
	if m := compareDumps(inClone, inClone+"# the same\n"); m.Text != "" {
		t.Error(m.Text)
	}
}
