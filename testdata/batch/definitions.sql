CREATE TABLE "auth_user" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "password" varchar(128) NOT NULL, "last_login" datetime NULL, "is_superuser" bool NOT NULL, "username" varchar(150) NOT NULL UNIQUE, "data" text NOT NULL CHECK ((JSON_VALID("data") OR "data" IS NULL)));

CREATE TABLE "shop_order" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "total" decimal NOT NULL, "slots" smallint unsigned NOT NULL CHECK ("slots" >= 0), "user_id" integer NOT NULL REFERENCES "auth_user" ("id") DEFERRABLE INITIALLY DEFERRED, CONSTRAINT "one_per_user" UNIQUE ("user_id", "total"));

CREATE TABLE "posts" ("id" integer PRIMARY KEY AUTOINCREMENT NOT NULL, "title" varchar DEFAULT 'untitled' NOT NULL, "views" integer(8) DEFAULT 0, "score" decimal(10,2), "created_at" datetime(6) NOT NULL, "author_id" integer, CONSTRAINT "fk_posts_1a2b3c"
FOREIGN KEY ("author_id")
  REFERENCES "authors" ("id")
);

CREATE TABLE "comments" ("id" integer PRIMARY KEY AUTOINCREMENT NOT NULL, "body" text, "post_id" integer NOT NULL, CONSTRAINT "fk_comments_9f8e7d"
FOREIGN KEY ("post_id")
  REFERENCES "posts" ("id")
 ON DELETE CASCADE);

CREATE TABLE "Account" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "userId" TEXT NOT NULL,
    "expires_at" INTEGER,
    "balance" DECIMAL NOT NULL DEFAULT 0.0,
    "createdAt" DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT "Account_userId_fkey" FOREIGN KEY ("userId") REFERENCES "User" ("id") ON DELETE CASCADE ON UPDATE CASCADE
);

CREATE TABLE "_TagToPost" (
    "A" TEXT NOT NULL,
    "B" INTEGER NOT NULL,
    CONSTRAINT "_TagToPost_A_fkey" FOREIGN KEY ("A") REFERENCES "Tag" ("id") ON DELETE CASCADE ON UPDATE CASCADE,
    CONSTRAINT "_TagToPost_B_fkey" FOREIGN KEY ("B") REFERENCES "Post" ("id") ON DELETE CASCADE ON UPDATE CASCADE
);

CREATE TABLE `sessions` (
	`id` text PRIMARY KEY NOT NULL,
	`user_id` text NOT NULL,
	`expires_at` integer NOT NULL,
	`meta` text DEFAULT '{"theme":"dark, (really)"}',
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE cascade
);

CREATE TABLE `kv` (`key` varchar(255) not null, `value` json null, `created_at` datetime not null default CURRENT_TIMESTAMP, primary key (`key`));

CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);

CREATE TABLE dag_run (
	id INTEGER NOT NULL, 
	dag_id VARCHAR(250) NOT NULL, 
	queued_at TIMESTAMP, 
	state VARCHAR(50), 
	external_trigger BOOLEAN DEFAULT (true), 
	conf BLOB, 
	PRIMARY KEY (id), 
	CONSTRAINT dag_run_key UNIQUE (dag_id, queued_at), 
	CONSTRAINT state_known CHECK (state IN ('queued', 'running', 'it''s done')), 
	FOREIGN KEY(dag_id) REFERENCES dag (id) ON DELETE SET NULL, 
	CHECK (external_trigger IN (0, 1))
);

CREATE TABLE users (
    id          INTEGER PRIMARY KEY,          -- the rowid
    name        TEXT    NOT NULL,             -- as it is shown, with (parentheses), commas
    email       TEXT    COLLATE NOCASE,       /* unique, see below */
    created     INTEGER NOT NULL DEFAULT (strftime('%s', 'now')),
    -- the next two go together
    parent      INTEGER REFERENCES users (id) ON DELETE SET NULL,
    depth       INTEGER CHECK (depth >= 0 AND (parent IS NOT NULL OR depth = 0)),
    UNIQUE (email)                            -- last
) STRICT;

CREATE TABLE words(word TEXT PRIMARY KEY, cnt INTEGER) WITHOUT ROWID;

CREATE TABLE measurements (
  station INTEGER NOT NULL,
  taken_at TEXT NOT NULL,
  value REAL,
  raw ANY,
  fahrenheit REAL GENERATED ALWAYS AS (value * 1.8 + 32) STORED,
  day TEXT AS (substr(taken_at, 1, 10)),
  PRIMARY KEY (station, taken_at DESC)
) WITHOUT ROWID, STRICT;

CREATE TABLE moz_things (id INTEGER PRIMARY KEY, url LONGVARCHAR, title LONGVARCHAR, rev_host LONGVARCHAR, visit_count INTEGER DEFAULT 0, hidden INTEGER DEFAULT 0 NOT NULL, typed INTEGER DEFAULT 0 NOT NULL, guid TEXT, url_hash INTEGER DEFAULT 0 NOT NULL, origin_id INTEGER REFERENCES moz_roots(id));

CREATE TABLE IF NOT EXISTS main.folders (_id INTEGER PRIMARY KEY AUTOINCREMENT, label TEXT UNIQUE ON CONFLICT REPLACE, position INT NOT NULL ON CONFLICT FAIL DEFAULT -1, color CHAR(7) DEFAULT '#ffffff', CHECK(length(color)=7) ON CONFLICT ABORT);

CREATE TABLE `note_entity` (`uid` INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, `text` TEXT, `folder` INTEGER, `pinned` INTEGER NOT NULL DEFAULT 0, FOREIGN KEY(`folder`) REFERENCES `folder_entity`(`uid`) ON UPDATE NO ACTION ON DELETE CASCADE );

CREATE TABLE [Order Details] ([Order ID] INTEGER NOT NULL, [Product ID] INTEGER NOT NULL, [Unit Price] MONEY NOT NULL CONSTRAINT [DF_Price] DEFAULT (0), [Quantity] SMALLINT NOT NULL CONSTRAINT [DF_Quantity] DEFAULT 1, CONSTRAINT [PK] PRIMARY KEY ([Order ID], [Product ID]), CONSTRAINT [CK_Quantity] CHECK (([Quantity] > 0)));

create table t1(a,b,c);

create table t2(a primary key,b unique,c check(c>0),d default 7,e collate rtrim,f references t1,g not null,h null);

create table t3("a""b" int, 'c''d' text, [e f] real, `g``h` blob, select_ int, "select" int, ключ text, "naïve 🦀" text);

create table t4(a int check(a in (1,2,3) and a not null), b text default 'a''b,c)', c text default "d""e", d default x'0aFF', e default -1.5e+10, f default +7, g default null, h default current_timestamp, i default true, j default (1+(2*3)), k default word);

create table t5(
a int
,b int
,c int
,constraint u unique(a,b)
,primary key(c)
);

create table t6 ( a integer primary key desc , b unsigned big int , c double precision , d varying character ( 70 ) , e native character(70) , f decimal ( 10 , 5 ) , g long varchar(10) not null , h "quoted type" , i [another one] );

create table t7(a int constraint one constraint two not null constraint three, b int constraint "four" default 4 constraint [five] check (b > 4));

create table t8(a int, b int, unique(a), check(b) constraint late unique(b) foreign key(a) references t1);

create table t9(a int references t1(a) match full on delete cascade on update set null not deferrable initially immediate, b int references t1 deferrable initially deferred, c int references t1 on delete restrict not null, foreign key (a, b) references t2 (a, b) on update set default deferrable);

create table t10(a text generated always as (upper(b)) virtual not null, b text, c as (a || b) stored unique, d int generated always as (length(b)));

create table t11(/* leading */a int/* type */not null/* end */,/* before b */b/* name */int/* after b */)/* tail */;

create table t12( -- it's a "table", with (parens
  id integer primary key, /* b text not null, ) */
  a text default 'x, y) -- no' check(a <> 'b,('), -- trailing
  b int /* the b column */
);

create table t13(a int,

  -- a lonely line

  b int -- of b
  -- below b
  ,c int -- of c
);

create table t14(a int, b text, check (case when a then b = 'end' else b like '%(%' escape '\' end), check (exists_ok(a)), check (a between 1 and 2 or b glob '*[a-z]*'));

create table t15(id integer not null primary key autoincrement, at timestamp default (datetime('now', 'localtime')), geo geometry(2, 4326), tags "text[]" , arr int);

create table t16(a int not null default 0 check (a >= 0) collate binary references t1 (a) unique);

create table t17(abort int, action int, after int, always int, analyze int, asc int, before int, by int, cascade int, cast int, column int, conflict int, current int, database int, desc int, do int, each int, end int, explain int, fail int, filter int, first int, following int, for int, generated int, glob int, "group" int, groups int, if int, ignore int, initially int, key int, last int, "like" int, match int, no int, nulls int, of int, offset int, others int, over int, partition int, plan int, pragma int, query int, range int, recursive int, regexp int, release int, rename int, replace int, restrict int, row int, rows int, savepoint int, temp int, ties int, trigger int, vacuum int, view int, virtual int, window int, with int, without int);

create table t18(rowid int, _rowid_ text, oid blob);

create table t19(a int primary key on conflict ignore, b int unique on conflict rollback) without rowid;

create table t20(a integer, b, primary key(a autoincrement));

create table t21(a text, b text, unique(a collate nocase desc, b asc) on conflict replace, primary key (b collate rtrim));

create temp table t22(a int, b int);

create table "t 23; (" ("a;b" int, "c)" int default ';)', "d--e" text, "f/*g" text);

create table t24(a int comment, b comment, e int auto_increment, d text);
