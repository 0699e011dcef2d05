//! What other tools take for the same change, where Python has them.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::batch::Scene;
use crate::measure::{Contender, rounds};
use crate::table;

const ALEMBIC: &str = "
import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations
with sa.create_engine('sqlite:///peer.db').begin() as connection:
    op = Operations(MigrationContext.configure(connection))
    with op.batch_alter_table('orders') as batch:
        batch.alter_column('amount', type_=sa.Text())
        batch.alter_column('state', nullable=False)
        batch.create_check_constraint('positive', 'length(state) > 0')
        batch.drop_column('old')
";
const SQLITE_UTILS: &str = "
import sqlite_utils
table = sqlite_utils.Database('peer.db')['orders']
table.transform(types={'amount': str}, not_null={'state'}, drop={'old'})
";
const DJANGO: &str = "
import django
from django.conf import settings
settings.configure(DATABASES={'default': {'ENGINE': 'django.db.backends.sqlite3', 'NAME': 'peer.db'}}, INSTALLED_APPS=[])
django.setup()
from django.db import connection, models
def field(field, name):
    field.set_attributes_from_name(name)
    return field
class Customer(models.Model):
    name = models.TextField(null=True)
    class Meta:
        app_label, db_table = 'bench', 'customers'
class Order(models.Model):
    id = models.IntegerField(primary_key=True)
    customer = models.ForeignKey(Customer, null=True, on_delete=models.CASCADE, db_column='customer')
    code = models.CharField(max_length=20, null=True, db_index=True)
    amount = models.IntegerField(null=True)
    note = models.TextField(null=True)
    state = models.TextField(null=True)
    created = models.TextField(null=True)
    old = models.TextField(null=True)
    class Meta:
        app_label, db_table = 'bench', 'orders'
        indexes = [models.Index(fields=['created', 'state'], name='orders_created')]
with connection.schema_editor() as editor:
    of = Order._meta.get_field
    editor.alter_field(Order, of('amount'), field(models.TextField(null=True), 'amount'))
    editor.alter_field(Order, of('state'), field(models.TextField(), 'state'))
    editor.add_constraint(Order, models.CheckConstraint(condition=~models.Q(state=''), name='positive'))
    editor.remove_field(Order, of('old'))
";

/// Prints what the peers take that there are. What they lose on the way is not counted: the trigger, to begin with.
pub fn batch(scene: &Scene, root: &Path, ours: f64) {
    for (module, name, script) in [
        ("alembic", "alembic batch_alter_table", ALEMBIC),
        (
            "sqlite_utils",
            "sqlite-utils transform, without the CHECK",
            SQLITE_UTILS,
        ),
        ("django", "django schema_editor", DJANGO),
    ] {
        let python = |text: &str| {
            let mut python = Command::new("python3");
            python.args(["-c", text]).current_dir(root).stderr(Stdio::null());
            python
        };
        let there = python(&format!("import {module}")).status();
        if !there.is_ok_and(|status| status.success()) {
            println!("  {name}: left out, python3 does not have it");
            continue;
        }
        let contender = Contender {
            before: Box::new(|| drop(scene.fresh("peer.db"))),
            command: Box::new(|| python(script)),
        };
        table::peer(name, rounds(1, &[contender])[0].cpu, ours);
    }
}
