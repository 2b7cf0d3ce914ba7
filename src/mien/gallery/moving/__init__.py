"""A gallery in one space to the same gallery in another: a second index beside it, compared, switched to, and back.

    prepare(path, embedder)      people.db.migrating grows beside people.db, which goes on answering
    compare(source, target)      who would be taken for whom, before and after
    switch(path, embedder)       readers see the old or the new; the old is kept beside it
    roll_back(path)              the same the other way round
    drop(path)                   erase the index that is not in use

What is known of a migration stands in people.db.migration, for any process to see.
"""
