# Runs inside of `manage.py shell -c`, in the project's own Python. Tells what only Django knows: the migrations of all
# apps in their order, what is in their files, and the SQL of each operation. The answer goes to a file, as JSON, since
# projects print what they like.
import ast
import hashlib
import inspect
import json
import os
import sys


def fearless_operations(tree, migration):
    """Lines of each operation, where the file has them as a plain list."""
    lines = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and node.name == "Migration":
            for part in node.body:
                if isinstance(part, ast.Assign) and any(getattr(t, "id", "") == "operations" for t in part.targets) and isinstance(part.value, ast.List):
                    lines = [(e.lineno, e.end_lineno) for e in part.value.elts]
    if len(lines) != len(migration.operations):
        lines = [(0, 0)] * len(migration.operations)
    answer = []
    for (first, last), operation in zip(lines, migration.operations):
        inner = getattr(operation, "database_operations", [])
        answer.append({
            "line": first,
            "last": last,
            "kind": type(operation).__name__,
            "text": operation.describe(),
            "one_way": not (operation.reversible and all(o.reversible for o in inner)),
        })
    return answer


def fearless_digest(tree):
    """What a file does, without comments and without what a squash changes in other files."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and node.name == "Migration":
            names = ("dependencies", "replaces", "run_before")
            node.body = [p for p in node.body if not (isinstance(p, ast.Assign) and any(getattr(t, "id", "") in names for t in p.targets))]
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()


def fearless_list():
    from django.db import connections
    from django.db.migrations.loader import MigrationLoader

    loader = MigrationLoader(None)
    order = []
    for target in sorted(loader.graph.leaf_nodes()):
        for key in loader.graph.forwards_plan(target):
            if key not in order:
                order.append(key)
    migrations = []
    for key in order + sorted(set(loader.disk_migrations) - set(order)):
        migration = loader.disk_migrations.get(key)
        if migration is None:
            continue
        path = inspect.getsourcefile(sys.modules[migration.__module__])
        with open(path, encoding="utf-8") as file:
            tree = ast.parse(file.read())
        operations = fearless_operations(tree, migration)
        parents = [list(p) for p in loader.graph.node_map[key].parents] if key in order else []
        migrations.append({
            "app": key[0],
            "name": key[1],
            "path": os.path.abspath(path),
            "planned": key in order,
            "replaces": [list(r) for r in migration.replaces],
            "parents": sorted(p[1] for p in parents if p[0] == key[0]),
            "operations": operations,
            "digest": fearless_digest(tree),
        })
    settings = connections["default"].settings_dict
    return {
        "migrations": migrations,
        "conflicts": {app: sorted(names) for app, names in loader.detect_conflicts().items()},
        "database": {"engine": connections["default"].vendor, "host": str(settings.get("HOST") or ""), "port": str(settings.get("PORT") or ""), "expected": os.environ["PGPORT"]},
    }


def fearless_sql(app, name):
    from django.db import connection
    from django.db.migrations.loader import MigrationLoader

    loader = MigrationLoader(connection, replace_migrations=False)
    migration = loader.graph.nodes[(app, name)]
    state = loader.project_state((app, name), at_end=False)
    answer = []
    with connection.schema_editor(collect_sql=True, atomic=migration.atomic) as editor:
        for operation in migration.operations:
            collected, deferred = len(editor.collected_sql), [str(s) for s in editor.deferred_sql]
            old = state.clone()
            operation.state_forwards(app, state)
            if operation.reduces_to_sql:
                operation.database_forwards(app, editor, old, state)
            answer.append(editor.collected_sql[collected:] + [s for s in map(str, editor.deferred_sql) if s not in deferred])
    return answer


def fearless():
    question = json.loads(os.environ["FEARLESS_QUESTION"])
    answer = fearless_sql(*question["sql"]) if "sql" in question else fearless_list()
    with open(question["answer"], "w", encoding="utf-8") as file:
        json.dump(answer, file)


fearless()
