SELECT * FROM v_demand_hours WHERE grain = 'model'
