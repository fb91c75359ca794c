-- The ETag that an object store gives a file. A client that was redirected there resumes with it, here.
ALTER TABLE tillroll.export_files ADD COLUMN stored_etag text;
