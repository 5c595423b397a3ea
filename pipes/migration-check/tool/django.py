# Runs inside of `manage.py shell -c`, in the project's own Python. Tells what only Django knows: the migrations of all
# apps in their order, what is in their files, and the SQL of each operation. It also runs several of manage.py's commands
# in one start, since a start takes longer than most migrations. The answer goes to a file, as JSON, since projects print
# what they like.
import ast
import hashlib
import inspect
import io
import json
import os
import sys


def fearless_operations(tree, migration):
    """Lines of each operation, where the file has them as a plain list."""
    from django.db.migrations import RunPython

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
            "program": getattr(operation, "code", None) not in (None, RunPython.noop),
        })
    return answer


def fearless_digest(tree):
    """What a file does, without comments and without what a squash changes in other files."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and node.name == "Migration":
            names = ("dependencies", "replaces", "run_before")
            node.body = [p for p in node.body if not (isinstance(p, ast.Assign) and any(getattr(t, "id", "") in names for t in p.targets))]
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()


def fearless_unread(loader):
    """Folders of migrations that Django takes for none, since they are no packages."""
    from django.apps import apps

    answer = []
    for config in apps.get_app_configs():
        name, explicit = loader.migrations_module(config.label)
        folder = os.path.join(config.path, "migrations")
        if config.label in loader.unmigrated_apps and name and not explicit and os.path.isdir(folder) and not os.path.exists(os.path.join(folder, "__init__.py")):
            answer += sorted(os.path.join(folder, file) for file in os.listdir(folder) if file.endswith(".py") and file[0] not in "_~")
    return answer


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
        "unread": fearless_unread(loader),
        "others": sorted(a for a in connections if a != "default" and not connections[a].settings_dict["TEST"]["MIRROR"]),
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


def fearless_missing():
    """What makemigrations says, with its exit code."""
    from django.core.management import call_command
    from django.db.migrations.loader import MigrationLoader

    MigrationLoader.check_consistent_history = lambda self, connection: None  # which asks all databases of the project
    out, code = io.StringIO(), 0
    try:
        call_command("makemigrations", check_changes=True, dry_run=True, interactive=False, verbosity=3, skip_checks=False, stdout=out)
    except SystemExit as end:
        code = end.code
    return {"code": code, "out": out.getvalue()}


def fearless_unapply(app, name):
    """Takes one migration back, and nothing beside it."""
    from django.db import connection
    from django.db.migrations.executor import MigrationExecutor

    executor = MigrationExecutor(connection)
    graph, applied = executor.loader.graph, executor.loader.applied_migrations
    plan = [(graph.nodes[key], True) for key in graph.backwards_plan((app, name)) if key in applied]
    executor.migrate([(app, name)], plan=plan)


def fearless_culprit(error):
    """The operation that was at work: its app, migration and number, from 0."""
    from django.db.migrations import Migration

    answer, trace = None, error.__traceback__
    while trace is not None:
        names = trace.tb_frame.f_locals
        migration, operation = names.get("self"), names.get("operation")
        if isinstance(migration, Migration) and operation in migration.operations:
            answer = {"app": migration.app_label, "name": migration.name, "number": migration.operations.index(operation)}
        trace = trace.tb_next
    return answer


def fearless():
    from django.core.management import call_command
    from django.db import connections

    question, answer = json.loads(os.environ["FEARLESS_QUESTION"]), {}

    def told(name, value):
        """Writes what is known by now: what comes next may end the program."""
        answer[name] = value
        with open(question["answer"] + ".new", "w", encoding="utf-8") as file:
            json.dump(answer, file)
        os.replace(question["answer"] + ".new", question["answer"])

    if "unapply" in question:
        fearless_unapply(*question["unapply"])
    if "check" in question:
        call_command("check")
        told("checked", True)
    if "list" in question:
        told("list", fearless_list())
    if "sql" in question:
        try:
            told("sql", fearless_sql(*question["sql"]))
        except Exception:  # migrate itself says better what is wrong
            told("sql", None)
        connections["default"].close()
    for number, arguments in enumerate(question.get("migrate", []), 1):
        try:
            call_command("migrate", *arguments, interactive=False, skip_checks=False)
        except Exception as error:
            told("culprit", fearless_culprit(error))
            raise
        told("runs", number)
    if "missing" in question:
        told("missing", fearless_missing())


fearless()
