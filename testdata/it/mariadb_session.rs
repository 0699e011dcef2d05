//! MariaDB and MySQL: what a revision does to its session.

use crate::mariadb::place_on;
use crate::server::{Database, Server};

on_mariadb_and_mysql! {
    every_variable_of_a_session_is_put_back
}

/// What changes each variable of a session; what cannot be changed here is passed over. Those that are left out keep
/// sqlrev from writing, or are refused.
const CHANGES_ON_MARIADB: &str = "DELIMITER //
BEGIN NOT ATOMIC
  DECLARE CONTINUE HANDLER FOR SQLEXCEPTION BEGIN END;
  FOR it IN (
    SELECT variable_name n, CASE
      WHEN variable_type = 'BOOLEAN' THEN IF(session_value = 'ON', 'OFF', 'ON')
      WHEN variable_type IN ('ENUM', 'SET', 'FLAGSET') THEN
        IF(SUBSTRING_INDEX(enum_value_list, ',', 1) = session_value, SUBSTRING_INDEX(enum_value_list, ',', -1),
           SUBSTRING_INDEX(enum_value_list, ',', 1))
      WHEN session_value > 1000000 THEN FLOOR(session_value / 2)
      ELSE session_value + GREATEST(numeric_block_size, 1) END v
    FROM information_schema.system_variables
    WHERE variable_scope = 'SESSION' AND read_only = 'NO'
      AND variable_name NOT IN ('sql_log_bin', 'tx_read_only', 'completion_type', 'timestamp', 'max_session_mem_used'))
  DO EXECUTE IMMEDIATE CONCAT('SET SESSION ', it.n, ' = ', QUOTE(it.v));
    EXECUTE IMMEDIATE CONCAT('SET SESSION ', it.n, ' = ', it.v);
  END FOR;
END//
DELIMITER ;
";

/// Likewise. MySQL does not tell of what type a variable is.
const CHANGES_ON_MYSQL: &str = "DELIMITER //
CREATE PROCEDURE changes()
BEGIN
  DECLARE n, v TEXT;
  DECLARE done INT DEFAULT 0;
  DECLARE every CURSOR FOR
    SELECT b.n, t.v FROM before_it b JOIN JSON_TABLE(
      CONCAT('[\"', CASE b.v WHEN 'ON' THEN 'OFF' WHEN 'OFF' THEN 'ON' WHEN 'YES' THEN 'NO' WHEN 'NO' THEN 'YES' ELSE
        IF(b.v REGEXP '^[0-9.]+$', CONCAT(FLOOR(b.v / 2), '\", \"', FLOOR(b.v) + 1), CONCAT_WS('\", \"', '+05:00',
          'latin1', 'latin1_bin', 'MyISAM', 'de_DE', 'READ-COMMITTED', 'ANSI_QUOTES', 'NONE', 'FORCED', 'OWN_GTID', '1'))
        END, '\"]'), '$[*]' COLUMNS (v TEXT PATH '$')) t
    WHERE b.n NOT IN ('sql_log_bin', 'transaction_read_only', 'completion_type', 'timestamp', 'gtid_next',
      'require_row_format', 'insert_id');
  DECLARE CONTINUE HANDLER FOR NOT FOUND SET done = 1;
  DECLARE CONTINUE HANDLER FOR SQLEXCEPTION BEGIN END;
  OPEN every;
  all_of_them: LOOP
    FETCH every INTO n, v;
    IF done THEN
      LEAVE all_of_them;
    END IF;
    SET @change = CONCAT('SET SESSION ', n, ' = ', IF(v REGEXP '^[0-9]+$', v, QUOTE(v)));
    PREPARE change_it FROM @change;
    EXECUTE change_it;
    DEALLOCATE PREPARE change_it;
  END LOOP;
END//
DELIMITER ;
CALL changes();
DROP PROCEDURE changes;
";

/// The next revision finds every variable of the session as it was, whichever ones a script has changed.
fn every_variable_of_a_session_is_put_back(server: Server) {
    let database = Database::on(server);
    let place = place_on(&database);
    let (schema, changes) = match server {
        Server::Mysql => ("performance_schema", CHANGES_ON_MYSQL),
        _ => ("information_schema", CHANGES_ON_MARIADB),
    };
    let snapshot = |name: &str| {
        format!("INSERT INTO {name} SELECT variable_name, variable_value FROM {schema}.session_variables;")
    };
    let tables: String = ["before_it", "during_it", "after_it"]
        .map(|name| format!("CREATE TABLE {name} (n VARCHAR(64) PRIMARY KEY, v TEXT);\n"))
        .concat();
    place.revision("aaaa", &[], &[], &format!("{tables}{}", snapshot("before_it")), "");
    let up = format!("{changes}{}", snapshot("during_it"));
    place.revision("bbbb", &["aaaa"], &[], &up, "");
    place.revision("cccc", &["bbbb"], &[], &snapshot("after_it"), "");
    place.must(&["upgrade"]);
    let differ = |name: &str| {
        format!(
            "SELECT a.n, a.v, b.v FROM before_it a JOIN {name} b USING (n) WHERE NOT a.v <=> b.v \
             AND n NOT IN ('TIMESTAMP', 'RAND_SEED1', 'RAND_SEED2', 'LAST_INSERT_ID', 'IDENTITY', 'INSERT_ID', \
             'STATEMENT_ID')"
        )
    };
    let changed = database.query(&differ("during_it"));
    let least = if server == Server::Mysql { 60 } else { 100 };
    assert!(changed.len() > least, "{changed:#?}");
    assert_eq!(database.query(&differ("after_it")), [""; 0]);
}
