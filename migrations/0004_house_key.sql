-- owner: store
-- Random bytes that belong to the store for good and leave it never: every process of a store needs the same ones.
CREATE TABLE house_key (
    name TEXT PRIMARY KEY,
    value {blob} NOT NULL
) {wr};
