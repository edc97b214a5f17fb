BEGIN TRANSACTION;
CREATE TABLE ledger_decisions (
	id INTEGER NOT NULL, 
	model VARCHAR(63) NOT NULL, 
	window VARCHAR NOT NULL, 
	decision JSON NOT NULL, 
	operation_key VARCHAR(250) NOT NULL, 
	at DATETIME NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (operation_key)
);
INSERT INTO "ledger_decisions" VALUES(1,'flight_delay','2013-02','{"answer": "wait"}','decide','2013-07-01 02:09:00.000000');
CREATE TABLE ledger_deployments (
	id INTEGER NOT NULL, 
	model VARCHAR(63) NOT NULL, 
	version INTEGER NOT NULL, 
	share DOUBLE NOT NULL, 
	generation INTEGER NOT NULL, 
	revision INTEGER NOT NULL, 
	operation_key VARCHAR(250) NOT NULL, 
	actor VARCHAR NOT NULL, 
	at DATETIME NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (model, revision, version), 
	FOREIGN KEY(model, version) REFERENCES ledger_versions (model, version), 
	UNIQUE (operation_key)
);
INSERT INTO "ledger_deployments" VALUES(1,'flight_delay',1,1.0,1,1,'deploy/1/1','ada','2013-07-01 00:03:00.000000');
INSERT INTO "ledger_deployments" VALUES(2,'flight_delay',2,1.0,2,2,'deploy/2/2','ada','2013-06-30 21:06:00.000000');
INSERT INTO "ledger_deployments" VALUES(3,'flight_delay',1,1.0,3,3,'deploy/1/3','ada','2013-07-01 02:07:00.000000');
CREATE TABLE ledger_models (
	name VARCHAR(63) NOT NULL, 
	generation INTEGER NOT NULL, 
	challenger INTEGER, 
	mirrored BOOLEAN NOT NULL, 
	PRIMARY KEY (name)
);
INSERT INTO "ledger_models" VALUES('flight_delay',3,3,0);
INSERT INTO "ledger_models" VALUES('fares',0,1,0);
CREATE TABLE ledger_trainings (
	id INTEGER NOT NULL, 
	model VARCHAR(63) NOT NULL, 
	snapshot_digest VARCHAR NOT NULL, 
	partitions JSON NOT NULL, 
	operation_key VARCHAR(250) NOT NULL, 
	requested_by VARCHAR NOT NULL, 
	at DATETIME NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (operation_key)
);
INSERT INTO "ledger_trainings" VALUES(1,'flight_delay','snap','["2013-01"]','train','ada','2013-07-01 02:09:00.000000');
CREATE TABLE ledger_transitions (
	id INTEGER NOT NULL, 
	model VARCHAR(63) NOT NULL, 
	generation INTEGER NOT NULL, 
	kind VARCHAR(16) NOT NULL, 
	version INTEGER NOT NULL, 
	previous_version INTEGER, 
	beneath INTEGER, 
	digest VARCHAR NOT NULL, 
	evidence_digest VARCHAR NOT NULL, 
	actor VARCHAR NOT NULL, 
	reason VARCHAR NOT NULL, 
	operation_key VARCHAR(250) NOT NULL, 
	at DATETIME NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (model, generation), 
	FOREIGN KEY(model, version) REFERENCES ledger_versions (model, version), 
	UNIQUE (operation_key)
);
INSERT INTO "ledger_transitions" VALUES(1,'flight_delay',1,'promote',1,NULL,NULL,'digest-1','evidence-1','ada','it''s better','promote/1/0','2013-07-01 00:02:00.000000');
INSERT INTO "ledger_transitions" VALUES(2,'flight_delay',2,'promote',2,1,1,'digest-2','evidence-2','ada','it''s better','promote/2/1','2013-07-01 00:02:00.000000');
INSERT INTO "ledger_transitions" VALUES(3,'flight_delay',3,'roll_back',1,2,NULL,'digest-1','evidence-1','grace','complaints','roll-back','2013-07-01 02:06:00.000000');
CREATE TABLE ledger_versions (
	model VARCHAR(63) NOT NULL, 
	version INTEGER NOT NULL, 
	digest VARCHAR NOT NULL, 
	uri VARCHAR NOT NULL, 
	run_id VARCHAR NOT NULL, 
	evidence_digest VARCHAR, 
	operation_key VARCHAR(250) NOT NULL, 
	actor VARCHAR NOT NULL, 
	at DATETIME NOT NULL, 
	PRIMARY KEY (model, version), 
	FOREIGN KEY(model) REFERENCES ledger_models (name), 
	UNIQUE (operation_key)
);
INSERT INTO "ledger_versions" VALUES('flight_delay',1,'digest-1','models:/m-1','run-1','evidence-1','register/flight_delay/1','train','2013-07-01 00:01:00.000000');
INSERT INTO "ledger_versions" VALUES('flight_delay',2,'digest-2','models:/m-2','run-2','evidence-2','register/flight_delay/2','train','2013-07-01 00:04:00.000000');
INSERT INTO "ledger_versions" VALUES('flight_delay',3,'digest-3','models:/m-3','run-3',NULL,'register/flight_delay/3','train','2013-07-01 02:08:00.000000');
INSERT INTO "ledger_versions" VALUES('fares',1,'digest-1','models:/m-1','run-1','evidence-1','register/fares/1','train','2013-07-01 02:09:00.000000');
CREATE INDEX ix_ledger_trainings_model ON ledger_trainings (model);
CREATE INDEX ix_ledger_decisions_model ON ledger_decisions (model);
COMMIT;
