-- Who holds a key, and the roles in which that person decides at approval gates. Only an administrator says so.

alter table api_keys
  add column user_name text,
  add column user_roles text[] not null default '{}',
  add constraint api_keys_roles_of_a_user check (user_name is not null or cardinality(user_roles) = 0);
create index api_keys_by_user on api_keys (user_name) where user_name is not null;
