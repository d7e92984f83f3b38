SELECT * FROM v_gpu_hours
