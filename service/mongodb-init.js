// Makes a replica set of new members and gives the service its role and user there. For mongosh
// (`mongosh --nodb --file mongodb-init.js`); what is done already is left as it is, so it can run at
// each start.
//
// Environment:
//   MONGODB_HOSTS     host:port of all members, divided by commas
//   MONGODB_KEY_FILE  the members' key file, which opens a user that may do everything
//   MONGODB_ROLE      mongodb-role.json
//   SESSIONSTORE_MONGODB_PASSWORD  the password that the service's user gets

const fs = require("fs");

const SET = "rs0";
const DATABASE = "sessionstore";
const USER = "sessionstore";
const NOT_YET_INITIATED = 94;
const EXISTS = [51002, 51003];

const hosts = process.env.MONGODB_HOSTS.split(",");
const role = JSON.parse(fs.readFileSync(process.env.MONGODB_ROLE, "utf8"));
const key = fs.readFileSync(process.env.MONGODB_KEY_FILE, "utf8").replace(/\s/g, "");
const password = process.env.SESSIONSTORE_MONGODB_PASSWORD;

const driver = (hosts, options) =>
  new Mongo(`mongodb://__system:${encodeURIComponent(key)}@${hosts}/?authSource=local&${options}`);

// Only if no member knows of a set: one that was left over from another must not be overruled.
function isNew() {
  return hosts.every((host) => {
    try {
      driver(host, "directConnection=true").getDB("admin").adminCommand({ replSetGetStatus: 1 });
      return false;
    } catch (error) {
      if (error.code === NOT_YET_INITIATED) return true;
      throw error;
    }
  });
}

function initiate() {
  const members = hosts.map((host, _id) => ({ _id, host }));
  // A lost primary is replaced within about 5 seconds instead of 11.
  const settings = {
    electionTimeoutMillis: 3000,
    heartbeatIntervalMillis: 1000,
    catchUpTimeoutMillis: 500,
  };
  driver(hosts[0], "directConnection=true")
    .getDB("admin")
    .adminCommand({ replSetInitiate: { _id: SET, members, settings } });
}

function createOrUpdate(database, kind, name, definition) {
  // All members, so that the service can log in to each at once.
  const writeConcern = { w: hosts.length, wtimeout: 60_000 };
  const run = (verb) =>
    database.runCommand({ [verb + kind]: name, ...definition, writeConcern });
  try {
    run("create");
  } catch (error) {
    if (!EXISTS.includes(error.code)) throw error;
    run("update");
  }
}

if (isNew()) {
  print("making a replica set of " + hosts.join(", "));
  initiate();
}
// The driver waits for a primary.
const set = driver(hosts, `replicaSet=${SET}&serverSelectionTimeoutMS=60000`);
const database = set.getDB(DATABASE);
createOrUpdate(database, "Role", role.role, { privileges: role.privileges, roles: role.roles });
createOrUpdate(database, "User", USER, { pwd: password, roles: [role.role] });
print(`the user ${USER} may use the database ${DATABASE}`);
